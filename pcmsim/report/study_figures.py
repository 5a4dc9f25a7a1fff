"""Panels of a study, one for each network, device set and temperature: loss and share within."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib import figure as drawing
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pcmsim.report import svg, time_axis
from pcmsim.report.calibration_page import at_most
from pcmsim.report.records import FloatArray
from pcmsim.report.slim import slim
from pcmsim.report.study_look import Look, Mitigation, of
from pcmsim.report.study_records import OverTime, Study, StudyCell
from pcmsim.report.study_scale import Scale, apart
from pcmsim.report.svg import INK
from pcmsim.units import format_duration

SIZE = (3.5, 2.35)
# Fixed, so that the axes of neighbours are in line; letters stand to the right.
PLACE = (0.15, 0.2, 0.745, 0.73)
MOST_TIMES = 60
LETTER_GAP = 0.085  # of the height, so that letters above each other do not touch
TOLERATED = (0, (5, 3))
Looks = Mapping[Mitigation, Look]


def drawn(cells: Sequence[StudyCell], known: Looks) -> list[tuple[StudyCell, Look, str]]:
    """Cells that figures show, with look and colour, in the order of the letters."""
    found = [(cell, known[of(cell)]) for cell in cells]
    coloured = [(cell, look, look.colour) for cell, look in found if look.colour is not None]
    return sorted(coloured, key=lambda item: (len(item[1].letter), item[1].letter))


def loss(study: Study, cells: Sequence[StudyCell], known: Looks, scale: Scale, name: str) -> Markup:
    """Median and 5 to 95 % band over chips against time; `cells` are those of one panel."""
    page, axes = panel()
    places, ends = _places(study), {}
    times_s = np.array(study.times_s)[places]
    for cell, look, colour in drawn(cells, known):
        low, middle, high = (
            values(getattr(cell.quantiles, q))[places] for q in ("q05", "q50", "q95")
        )
        if not np.isfinite(middle).any():
            continue
        axes.fill_between(times_s, low, high, color=colour, alpha=0.18, linewidth=0)
        mark = "o" if len(times_s) == 1 else None
        axes.plot(times_s, middle, color=colour, lw=1.5, marker=mark, ms=3.5)
        ends[look.letter] = (float(middle[-1]), colour)
    software = study.software[cells[0].network]
    axes.axhline(software, color=INK, lw=0.9)
    axes.axhline(software + study.tolerance, color=INK, lw=0.9, ls=TOLERATED)
    scale.apply(axes)
    _finish(axes, study.times_s)
    letters(axes, ends, scale)
    told = _told(cells, known, study, [cell.quantiles.q50 for cell in cells])
    return slim(svg.inline(page, name, "Loss against time"), "Loss against time", told)


def within(study: Study, cells: Sequence[StudyCell], known: Looks, name: str) -> Markup:
    """Share of chips [%] within the tolerance against time, as steps from one time to the next."""
    page, axes = panel()
    places, ends = _places(study), {}
    shown = drawn(cells, known)
    for i, (cell, look, colour) in enumerate(shown):
        share = 100.0 * values(cell.within)[places]
        if not np.isfinite(share).any():
            continue
        # Those behind are wider, so that curves on top of each other are all seen.
        width = 1.3 + 1.1 * (len(shown) - 1 - i)
        mark = "o" if len(places) == 1 else None
        axes.plot(
            np.array(study.times_s)[places],
            share,
            color=colour,
            lw=width,
            drawstyle="steps-post",
            solid_capstyle="butt",
            marker=mark,
        )
        ends[look.letter] = (float(share[-1]), colour)
    scale = Scale(-4.0, 104.0)
    scale.apply(axes)
    axes.set_yticks([0.0, 25.0, 50.0, 75.0, 100.0])
    _finish(axes, study.times_s)
    letters(axes, ends, scale)
    told = _told(cells, known, study, [cell.within for cell in cells])
    return slim(svg.inline(page, name, "Share of chips"), "Share of chips within tolerance", told)


def panel() -> tuple[drawing.Figure, Axes]:
    """An empty picture of the size that all panels have."""
    page = drawing.Figure(figsize=SIZE)
    axes = page.add_axes(PLACE)
    axes.tick_params(left=False, bottom=False)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.4g}".replace("-", "−")))
    return page, axes


def letters(axes: Axes, ends: Mapping[str, tuple[float, str]], scale: Scale) -> None:
    """Write letters where curves end, apart from each other; an arrow for one beyond the top."""
    known = {letter: end for letter, end in ends.items() if math.isfinite(end[0])}
    heights = apart({letter: scale.share(y) for letter, (y, _) in known.items()}, LETTER_GAP)
    for letter, height in heights.items():
        y, colour = known[letter]
        text = f"{letter} ↑ {y:.3g}" if y > scale.high else letter
        axes.annotate(
            text,
            (1.015, height),
            xycoords="axes fraction",
            color=colour,
            va="center",
            size=8.0,
            weight="bold",
            annotation_clip=False,
        )


def values(found: OverTime) -> FloatArray:
    """Numbers as an array, NaN where there is none."""
    return np.array([math.nan if x is None else x for x in found], dtype=np.float64)


def _places(study: Study) -> list[int]:
    return at_most(range(len(study.times_s)), MOST_TIMES)


def _finish(axes: Axes, times_s: Sequence[float]) -> None:
    time_axis.draw(axes, times_s, "time after programming")


def _told(
    cells: Sequence[StudyCell], known: Looks, study: Study, curves: Sequence[OverTime]
) -> str:
    """What is read out to those who do not see the panel."""
    first, last = (format_duration(study.times_s[i]) for i in (0, -1))
    parts = []
    for cell, curve in zip(cells, curves, strict=True):
        if curve[0] is not None and curve[-1] is not None:
            ends = f"{curve[0]:.4g} at {first}, {curve[-1]:.4g} at {last}"
            parts.append(f"{known[of(cell)].letter}: {ends}")
    return "; ".join(parts) or "nothing was measured"
