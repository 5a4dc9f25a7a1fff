"""The figures of a run with the hardware in the loop: metric against time, and learning."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from pcmsim.report import time_axis
from pcmsim.report.figures import MARKS, METRIC, WIDTH, legend_above
from pcmsim.report.points import COMPENSATIONS, by_compensation, dwarfed, spread
from pcmsim.report.records import FloatArray, InLoop, Metric, Point
from pcmsim.report.svg import INK, SERIES, SOFT

Dashes = str | tuple[int, tuple[float, ...]]
Style = tuple[str, Dashes]
STAGES = {"transfer": "transfer", "in_loop": "in the loop"}
COLOURS = {"transfer": SERIES[1], "in_loop": SERIES[0]}
DASHES: tuple[Dashes, ...] = (
    (0, (1, 1.4)),
    "-",
    (0, (4, 1.6)),
    (0, (5, 1.6, 1, 1.6)),
)  # in the order of MARKS
COUNTED = {
    "programmed": ("devices programmed", SERIES[1], "o", "-"),
    "set_pulses": ("SET pulses", SERIES[2], "s", "--"),
    "resets": ("RESET pulses", SERIES[3], "^", ":"),
}
LETTERS = 120


def metric_over_time(results: InLoop, software_metric: float, metric: Metric = METRIC) -> Figure:
    """Metric of the chips against the time after each stage, one curve per compensation.

    Curves without compensation that dwarf the others leave them a second panel of their own.
    """
    kinds = list(by_compensation(results.stages))
    times_s = sorted({point.t_s for point in results.stages})
    panels = [kinds]
    if dwarfed(results.stages, software_metric):
        panels.append([kind for kind in kinds if kind != "none"])
    figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, shown in zip(row, panels, strict=True):
        for stage, colour in COLOURS.items():
            found = by_compensation([p for p in results.stages if p.stage == stage])
            for kind, points in found.items():
                if kind in shown:
                    _curve(axes, points, times_s, colour, _style(kind))
        axes.axhline(software_metric, color=INK, lw=1.2, ls=(0, (5, 3)))
        if results.aware_metric is not None:
            axes.axhline(results.aware_metric, color=SERIES[2], lw=1.2, ls=(0, (5, 3)))
        time_axis.draw(axes, times_s, "time after programming or training")
    if len(panels) > 1:
        row[0].set_title("all", loc="left")
        row[1].set_title("with compensation, enlarged", loc="left")
    row[0].set_ylabel(metric.label)
    _legend(figure, results, kinds)
    return figure


def learning(
    logs: Sequence[Mapping[str, FloatArray]],
    rules: Sequence[str],
    valid_metric: float,
    metric: Metric = METRIC,
) -> Figure:
    """Validation metric and what was sent to the devices, against the epoch over all phases.

    Lines are means over chips, bands the least to the greatest; `valid_metric` is what the network
    reached in software.
    """
    figure = Figure(figsize=(WIDTH, 6.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _over_chips(upper, logs, "valid_metric", SERIES[0], "o", "-", "in the loop", None)
    upper.axhline(valid_metric, color=INK, lw=1.2, ls=(0, (5, 3)), label="software")
    upper.set_ylabel(metric.label)
    for name, (label, colour, mark, dash) in COUNTED.items():
        if name == "programmed" or any(log[name].any() for log in logs):
            _over_chips(lower, logs, name, colour, mark, dash, label, "mid")
    lower.set_yscale("symlog", linthresh=1.0)
    lower.set_ylim(bottom=-0.15)
    lower.yaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    lower.yaxis.set_minor_locator(NullLocator())
    lower.set_ylabel("number per epoch")
    lower.set_xlabel("epoch over all phases (0: programming)")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    _phases((upper, lower), logs[0]["phase"], rules)
    for axes in (upper, lower):
        legend_above(axes, 3)
    return figure


def phase_label(number: int, rules: Sequence[str], letters: float) -> str:
    """Name of phase `number`, counted from 1, as long as there is room for `letters`.

    >>> [phase_label(2, ["digital", "reprogram"], letters) for letters in (40, 12, 3, 1)]
    ['phase 2: reprogram', 'phase 2', '2', '']
    """
    rule = [f"phase {number}: {rules[number - 1]}"] if 0 < number <= len(rules) else []
    fitting = [text for text in (*rule, f"phase {number}", f"{number}") if len(text) < letters]
    return fitting[0] if fitting else ""


def _curve(
    axes: Axes, points: Sequence[Point], shown_s: Sequence[float], colour: str, style: Style
) -> None:
    places_s = time_axis.places_s([point.t_s for point in points], shown_s)
    low, high = np.transpose([spread(point) for point in points])
    axes.fill_between(places_s, low, high, color=colour, alpha=0.15, linewidth=0)
    mark, dash = style
    axes.plot(places_s, [point.mean for point in points], color=colour, marker=mark, ls=dash)


def _style(kind: str) -> Style:
    """Mark and dashes of a compensation, the same in every report."""
    i = list(COMPENSATIONS).index(kind) if kind in COMPENSATIONS else 0
    return MARKS[i], DASHES[i]


def _legend(figure: Figure, results: InLoop, kinds: Sequence[str]) -> None:
    """A row with the colours of stages and the lines of software, one with the compensations."""
    stages = {point.stage for point in results.stages}
    lines = [
        Line2D([], [], color=colour, lw=4.0, label=STAGES[stage])
        for stage, colour in COLOURS.items()
        if stage in stages
    ]
    dashed = (0, (5, 3))
    lines.append(Line2D([], [], color=INK, lw=1.2, ls=dashed, label="software"))
    if results.aware_metric is not None:
        label = "noise-aware software"
        lines.append(Line2D([], [], color=SERIES[2], lw=1.2, ls=dashed, label=label))
    marks = []
    for kind in kinds:
        (mark, dash), name = _style(kind), COMPENSATIONS.get(kind, kind)
        marks.append(Line2D([], [], color=SOFT, marker=mark, ls=dash, label=name))
    columns = max(len(lines), len(marks))
    rows = [
        row + [Line2D([], [], ls="", label=" ")] * (columns - len(row)) for row in (lines, marks)
    ]
    figure.legend(
        handles=[line for column in zip(*rows, strict=True) for line in column],
        loc="outside upper left",
        ncols=columns,
        columnspacing=1.6,
        handlelength=3.0,
    )


def _over_chips(
    axes: Axes,
    logs: Sequence[Mapping[str, FloatArray]],
    name: str,
    colour: str,
    mark: str,
    dash: str,
    label: str,
    step: Literal["mid"] | None,
) -> None:
    """Mean over chips of a column, with a band from the least to the greatest; in steps or not."""
    values = np.array([log[name] for log in logs])
    epochs = np.arange(values.shape[1])
    low, high = values.min(axis=0), values.max(axis=0)
    axes.fill_between(epochs, low, high, step=step, color=colour, alpha=0.18, linewidth=0)
    axes.plot(
        epochs,
        values.mean(axis=0),
        color=colour,
        marker=mark if len(epochs) <= 60 else None,
        ls=dash,
        drawstyle="steps-mid" if step else "default",
        label=label,
    )


def _phases(panels: Sequence[Axes], phase: FloatArray, rules: Sequence[str]) -> None:
    """Mark where phases begin, and name them in the first of `panels`."""
    starts = [i for i in range(1, len(phase)) if phase[i] != phase[i - 1]]
    for start, stop in zip(starts, [*starts[1:], len(phase)], strict=True):
        for axes in panels:
            axes.axvline(start - 0.5, color=SOFT, lw=1.0, ls=":")
        panels[0].annotate(
            phase_label(int(phase[start]), rules, LETTERS * (stop - start) / len(phase)),
            (start - 0.5, 1.0),
            xycoords=panels[0].get_xaxis_transform(),
            xytext=(4.0, -4.0),
            textcoords="offset points",
            va="top",
            color=SOFT,
        )
    panels[0].margins(y=0.15)
