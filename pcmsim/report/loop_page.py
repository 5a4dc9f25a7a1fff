"""What a page shows of a run with the hardware in the loop: key numbers, tables and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pcmsim.report import figures, loop_figures, svg, text
from pcmsim.report.folder import LoopRun, TrainingRun
from pcmsim.report.points import (
    COMPENSATIONS,
    at,
    band_text,
    by_compensation,
    chips_text,
    moment_text,
    moments_s,
    spread,
)
from pcmsim.report.records import Chip, FloatArray, Metric, Point, StagePoint, Training
from pcmsim.report.svg import Chart
from pcmsim.units import format_duration

FEW_TIMES = 6


@dataclass(frozen=True)
class Card:
    """A key number at the top of a page, with words above and below."""

    title: str
    value: str
    note: str


@dataclass(frozen=True)
class StageView:
    """One stage: its key numbers, a row per compensation, and all its numbers."""

    name: str
    key_rows: Sequence[tuple[str, Sequence[Point | None]]]
    all_rows: Sequence[tuple[str, Point, tuple[float, float]]]


@dataclass(frozen=True)
class ChipRow:
    """A row of the table of chips; pulses are None where they were not counted."""

    name: str
    epochs: float
    seconds: float
    chip_s: float
    programmed: float
    set_pulses: float | None
    most_set_pulses: float | None
    resets: float | None
    most_resets: float | None


@dataclass(frozen=True)
class LoopView:
    """Training in the loop as the template shows it."""

    run: LoopRun
    cards: Sequence[Card]
    moments: Sequence[str]
    stages: Sequence[StageView]
    band: str
    metric: Chart
    learning: Chart
    aware: Chart | None
    chips: Sequence[ChipRow]
    uncounted: bool


def loop_view(training: TrainingRun, run: LoopRun) -> LoopView:
    """View of the loop of a training run."""
    points = run.results.stages
    times_s = sorted({point.t_s for point in points})
    if len(times_s) > FEW_TIMES:
        times_s = moments_s(times_s)
    of_stages = {
        name: by_compensation([p for p in points if p.stage == stage])
        for stage, name in loop_figures.STAGES.items()
    }
    return LoopView(
        run=run,
        cards=_cards(run, training.results.software_metric),
        moments=[moment_text(t_s) for t_s in times_s],
        stages=[
            StageView(
                name,
                [(kind, [at(ps, t_s) for t_s in times_s]) for kind, ps in found.items()],
                [(kind, p, spread(p)) for kind, ps in found.items() for p in ps],
            )
            for name, found in of_stages.items()
            if found
        ],
        band=band_text(points),
        metric=_metric(run, training.results),
        learning=_learning(run, training.results),
        aware=None if run.aware is None else _aware(run.aware, training.results.metric),
        chips=chip_rows(run.results.chips, run.logs),
        uncounted=not all(chip.wear for chip in run.results.chips),
    )


def best(points: Sequence[StagePoint], t_s: float) -> StagePoint | None:
    """Least mean at `t_s` of what was trained in the loop."""
    found = [p for p in points if p.stage == "in_loop" and p.t_s == t_s]
    return min(found, key=lambda p: p.mean, default=None)


def chip_rows(chips: Sequence[Chip], logs: Sequence[Mapping[str, FloatArray]]) -> Sequence[ChipRow]:
    """One row per chip, and their mean if there are several."""
    rows = [_chip_row(chip, log) for chip, log in zip(chips, logs, strict=True)]
    if len(rows) == 1:
        return rows
    mean = ChipRow(
        name="mean",
        epochs=float(np.mean([row.epochs for row in rows])),
        seconds=float(np.mean([row.seconds for row in rows])),
        chip_s=float(np.mean([row.chip_s for row in rows])),
        programmed=float(np.mean([row.programmed for row in rows])),
        set_pulses=_mean([row.set_pulses for row in rows]),
        most_set_pulses=_mean([row.most_set_pulses for row in rows]),
        resets=_mean([row.resets for row in rows]),
        most_resets=_mean([row.most_resets for row in rows]),
    )
    return [*rows, mean]


def _chip_row(chip: Chip, log: Mapping[str, FloatArray]) -> ChipRow:
    wear = list(chip.wear.values())
    return ChipRow(
        name=f"chip {chip.chip}",
        epochs=chip.epochs,
        seconds=chip.seconds,
        chip_s=chip.chip_s,
        programmed=float(log["programmed"].sum()),
        set_pulses=sum(w.set_pulses for w in wear) if wear else None,
        most_set_pulses=max((w.most_set_pulses for w in wear), default=None),
        resets=sum(w.resets for w in wear) if wear else None,
        most_resets=max((w.most_resets for w in wear), default=None),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _against(metric: float, software_metric: float) -> str:
    return f"{text.change(metric - software_metric, software_metric)} against software"


def _cards(run: LoopRun, software_metric: float) -> Sequence[Card]:
    results = run.results
    cards = []
    if results.aware_metric is not None:
        note = _against(results.aware_metric, software_metric)
        cards.append(Card("Noise-aware, in software", text.metric(results.aware_metric), note))
    times_s = [point.t_s for point in results.stages if point.stage == "in_loop"]
    for t_s in sorted({min(times_s), max(times_s)}) if times_s else []:
        point = best(results.stages, t_s)
        if point is not None:
            moment = f"after {format_duration(t_s)}" if t_s else "right after"
            kind = COMPENSATIONS.get(point.compensation, point.compensation)
            note = f"{kind}; {_against(point.mean, software_metric)}"
            cards.append(Card(f"In the loop, {moment}", text.metric(point.mean), note))
    seconds = float(np.mean([chip.seconds for chip in results.chips]))
    of = f"mean of {len(results.chips):,} chips; " if len(results.chips) > 1 else ""
    note = f"{of}{max(chip.epochs for chip in results.chips):,} epochs"
    cards.append(Card("Training time, in the loop", format_duration(seconds), note))
    return cards


def _metric(run: LoopRun, trained: Training) -> Chart:
    caption = (
        f"Test metric of the network on {chips_text(len(run.results.chips))}. Transfer is the "
        f"network trained in software and written onto the chips, against the time since "
        f"programming; in the loop it was trained further on the chips, against the time since "
        f"training. Lines are means, bands span {band_text(run.results.stages)}; dashed lines "
        f"without marks are networks in software. Lower is better."
    )
    if any(point.t_s == 0.0 for point in run.results.stages):
        caption += " Time is on a logarithmic axis, which is broken to show 0."
    figure = loop_figures.metric_over_time(run.results, trained.software_metric, trained.metric)
    return Chart(svg.inline(figure, "loop-metric", "Metric against time, both stages"), caption)


def _learning(run: LoopRun, trained: Training) -> Chart:
    several = len(run.logs) > 1
    over = f"means over {chips_text(len(run.logs))}" if several else "those of the one chip"
    band = ", bands span the least to the greatest" if several else ""
    caption = (
        f"Above: {trained.metric.name} on the validation split, measured on the chip at the "
        f"end of each epoch, and of the network in software (dashed). Below, on a scale linear "
        f"up to 1 and logarithmic beyond: devices that were programmed in each epoch, and pulses "
        f"sent by the update rule if it sends any. Lines are {over}{band}; dotted lines "
        f"stand where phases begin."
    )
    figure = loop_figures.learning(run.logs, run.rules, trained.valid_metric, trained.metric)
    return Chart(svg.inline(figure, "loop-learning", "Learning in the loop"), caption)


def _aware(curves: Mapping[str, FloatArray], metric: Metric) -> Chart:
    caption = (
        "Noise-aware training in software, on devices drawn anew for every batch; training in the "
        "loop begins with the network of its best epoch."
    )
    best_epoch = int(curves["epoch"][np.argmin(curves["valid_metric"])])
    figure = figures.learning_curve(curves, best_epoch, metric)
    return Chart(svg.inline(figure, "aware", "Learning curve of noise-aware training"), caption)
