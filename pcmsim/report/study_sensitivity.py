"""Figures of the sensitivity of a study: a tornado of single changes, and Sobol indices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import figure as drawing
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from pcmsim.report import svg
from pcmsim.report.records import FloatArray
from pcmsim.report.slim import slim
from pcmsim.report.study_figures import values
from pcmsim.report.study_records import Difference, Moved, Sensitivity, Sobol
from pcmsim.report.svg import INK, SERIES, SOFT

WIDTH = 8.0
LONGEST = 28  # letters of a parameter beside its bars


def ordered(found: Sensitivity) -> list[Moved]:
    """Parameters by the larger of their two changes, greatest first."""
    return sorted(found.one_at_a_time, key=_reach, reverse=True)


def tornado(found: Sensitivity, name: str) -> Markup:
    """Changes of the loss when each parameter is lower and higher, with their intervals."""
    rows = ordered(found)
    page, axes = _bars([moved.parameter for moved in rows])
    for side, colour, label in (
        ("low", SERIES[1], f"{100.0 * found.step:g} % lower"),
        ("high", SERIES[0], f"{100.0 * found.step:g} % higher"),
    ):
        moves: list[Difference] = [getattr(moved, side) for moved in rows]
        place = np.arange(len(rows)) + (-0.19 if side == "low" else 0.19)
        ends = (values(tuple(m.mean for m in moves)), values(tuple(m.half_width for m in moves)))
        _draw(axes, place, ends, colour, label)
    axes.axvline(0.0, color=INK, lw=1.0)
    axes.set_xlabel("change of the metric")
    _legend(axes)
    told = "; ".join(f"{m.parameter}: {_say(m.low)} and {_say(m.high)}" for m in rows)
    return slim(svg.inline(page, name, "Sensitivity"), "One at a time", told)


def sobol(found: Sobol, name: str) -> Markup:
    """First-order and total indices of each parameter, with their intervals."""
    totals = values(found.total)
    order = np.argsort(-np.where(np.isfinite(totals), totals, -np.inf), kind="stable")
    page, axes = _bars([found.parameters[i] for i in order])
    for shift, colour, label, which in (
        (-0.19, SERIES[2], "first order: alone", "first"),
        (0.19, SERIES[3], "total: with all it acts together with", "total"),
    ):
        index, half = values(getattr(found, which)), values(getattr(found, f"{which}_half_width"))
        ends = (index[order], half[order])
        _draw(axes, np.arange(len(order)) + shift, ends, colour, label)
    axes.axvline(0.0, color=INK, lw=1.0)
    axes.set_xlabel("share of the variance of the loss")
    _legend(axes)
    told = "; ".join(f"{found.parameters[i]}: total {_number(found.total[i])}" for i in order)
    return slim(svg.inline(page, name, "Sobol indices"), "Sobol indices", told)


def _bars(names: Sequence[str]) -> tuple[drawing.Figure, Axes]:
    height = 0.95 + 0.42 * max(len(names), 1)
    page = drawing.Figure(figsize=(WIDTH, height))
    axes = page.add_axes((0.26, 0.55 / height, 0.7, 1.0 - 0.95 / height))
    shown = [n if len(n) <= LONGEST else n[: LONGEST - 1] + "…" for n in names]
    axes.set_yticks(range(len(names)), shown)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(False, axis="y")
    axes.tick_params(left=False, bottom=False)
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.4g}".replace("-", "−")))
    return page, axes


def _draw(
    axes: Axes, place: NDArray[Any], ends: tuple[FloatArray, FloatArray], colour: str, label: str
) -> None:
    means, half = ends
    axes.barh(place, np.nan_to_num(means), 0.36, color=colour, alpha=0.75, label=label, lw=0)
    axes.errorbar(
        means, place, xerr=half, ls="", ecolor=SOFT, elinewidth=1.4, capsize=3.0, capthick=1.4
    )


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, borderaxespad=0.2)


def _reach(moved: Moved) -> float:
    return max(abs(m.mean) if m.mean is not None else 0.0 for m in (moved.low, moved.high))


def _say(found: Difference) -> str:
    return "unknown" if found.mean is None else f"{found.mean:+.3g}"


def _number(found: float | None) -> str:
    return "unknown" if found is None else f"{found:.3g}"
