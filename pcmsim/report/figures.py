"""The figures of a report: learning curve, metric against time, conductances, crossbar."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from pcmsim.report import time_axis
from pcmsim.report.points import COMPENSATIONS, by_compensation, compensated, dwarfed, spread
from pcmsim.report.records import Drift, Matrix, Metric, Point
from pcmsim.report.svg import INK, SERIES, SOFT
from pcmsim.units import format_duration

FloatArray = NDArray[np.floating[Any]]
MARKS = ("o", "s", "^", "D")
WIDTH = 10.0
METRIC = Metric()


def learning_curve(
    curves: Mapping[str, FloatArray], best_epoch: int, metric: Metric = METRIC
) -> Figure:
    """Loss on the training and validation splits against the epoch."""
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    mark = "o" if len(curves["epoch"]) <= 30 else None
    axes.plot(
        curves["epoch"], curves["train_loss"], color=SERIES[1], marker=mark, label="training split"
    )
    axes.plot(
        curves["epoch"],
        curves["valid_metric"],
        color=SERIES[0],
        marker=mark,
        ls="--",
        label="validation split",
    )
    axes.axvline(best_epoch, color=SOFT, lw=1.2, ls=":", label=f"best epoch ({best_epoch})")
    axes.set_xlabel("epoch")
    axes.set_ylabel(metric.label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_above(axes, 3)
    return figure


def metric_over_time(drift: Drift) -> Figure:
    """Metric of the chips against the time after programming, one curve per compensation.

    Curves without compensation that dwarf the others leave them a second panel of their own.
    """
    found = by_compensation(drift.drift)
    apart = dwarfed(drift.drift, drift.software_metric)
    panels = [found, compensated(found)] if apart else [found]
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, kinds in zip(row, panels, strict=True):
        for i, (kind, points) in enumerate(found.items()):
            if kind in kinds:
                _curve(axes, kind, points, i)
        axes.axhline(drift.software_metric, color=INK, lw=1.2, ls=(0, (5, 3)), label="software")
        time_axis.draw(axes, [point.t_s for point in drift.drift], "time after programming")
    if len(panels) > 1:
        row[0].set_title("all", loc="left")
        row[1].set_title("with compensation, enlarged", loc="left")
    row[0].set_ylabel(drift.metric.label)
    lines, names = row[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper left", ncols=4, columnspacing=1.6)
    return figure


def conductances(matrices: Sequence[Matrix]) -> Figure:
    """Histograms of all device conductances at the first and the last time."""
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    row = figure.subplots(1, len(matrices), squeeze=False, sharex=True, sharey=True)[0]
    g_largest = max(float(max(m.g_start.max(), m.g_end.max())) for m in matrices)
    edges = np.linspace(0.0, max(g_largest, 1e-3), 61)
    for axes, matrix in zip(row, matrices, strict=True):
        start, end = matrix.g_start.ravel(), matrix.g_end.ravel()
        first, last = moments_text(matrix)
        axes.hist(start, edges, histtype="stepfilled", color=SERIES[1], alpha=0.35, label=first)
        axes.hist(end, edges, histtype="step", color=SERIES[0], lw=1.5, label=last)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("conductance G [µS]")
        axes.set_title(f"matrix {matrix.name}", loc="left", pad=24)
        legend_above(axes, 2)
    row[0].set_ylabel("devices per bin")
    return figure


def crossbar(matrix: Matrix) -> Figure:
    """G+ - G- of one matrix at the first and the last time, on one colour scale."""
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    row = figure.subplots(1, 2, sharey=True)
    pair = [difference(matrix.g_start), difference(matrix.g_end)]
    limit = colour_limit(pair[0])
    for axes, values, title in zip(row, pair, moments_text(matrix), strict=True):
        image = axes.imshow(
            values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="none"
        )
        axes.grid(False)
        axes.set_title(title, loc="left")
        axes.set_xlabel("column")
    row[0].set_ylabel("row")
    bar = figure.colorbar(image, ax=row, extend="both", pad=0.02)
    bar.set_label("G⁺ − G⁻ [µS]")
    bar.outline.set_visible(False)
    if bar.solids is not None:
        bar.solids.set_rasterized(True)  # one small picture instead of 256 outlined stripes
    return figure


def difference(g: FloatArray) -> FloatArray:
    """G+ - G- [µS] per weight, the mean over its pairs, of `g` (2, pairs, rows, columns)."""
    return np.asarray(np.mean(np.asarray(g[0], dtype=np.float64) - g[1], axis=0))


def colour_limit(values: FloatArray) -> float:
    """Size [µS] at which colours saturate: 99 % of the weights lie within."""
    return max(float(np.percentile(np.abs(values), 99.0)), 1e-3)


def moments_text(matrix: Matrix) -> tuple[str, str]:
    """Names of the first and the last time."""
    start = (
        f"{format_duration(matrix.t_start_s)} after programming"
        if matrix.t_start_s
        else "after programming"
    )
    return start, f"{format_duration(matrix.t_end_s)} later"


def legend_above(axes: Axes, columns: int) -> None:
    """Put the legend between `axes` and their title, in `columns` columns."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        columnspacing=1.6,
    )


def _curve(axes: Axes, kind: str, points: Sequence[Point], i: int) -> None:
    times_s = [point.t_s for point in points]
    colour, mark = SERIES[i % len(SERIES)], MARKS[i % len(MARKS)]
    low, high = np.transpose([spread(point) for point in points])
    name = COMPENSATIONS.get(kind, kind)
    axes.fill_between(times_s, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(times_s, [point.mean for point in points], color=colour, marker=mark, label=name)
