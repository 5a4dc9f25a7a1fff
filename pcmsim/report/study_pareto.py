"""Loss against energy of the mitigations of one panel, with those that none beats in both."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from pcmsim.report import svg
from pcmsim.report.slim import slim
from pcmsim.report.study_figures import LETTER_GAP, Looks, drawn, panel
from pcmsim.report.study_look import Look, of
from pcmsim.report.study_records import Study, StudyCell
from pcmsim.report.study_scale import Scale, apart
from pcmsim.report.study_text import energy_text
from pcmsim.report.svg import INK, SOFT

MOST_TICKS = 5
DOTTED = (0, (1, 1.5))


def energy_pj(cell: StudyCell) -> float | None:
    """Energy [pJ] behind the metric at the end: all refreshes until then and one calibration."""
    calibration, refresh = cell.cost.energy_pj, cell.cost.refresh_energy_pj
    return None if calibration is None or refresh is None else calibration + refresh


def front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points (energy, loss) that no other beats in one without losing in the other.

    By rising energy. Points that agree in both are all on the front.

    >>> front({"A": (0.0, 9.9), "B": (5.0, 8.9), "C": (7.0, 8.95), "D": (9.0, 8.8)})
    ['A', 'B', 'D']
    """
    kept = []
    for name, (energy, loss) in points.items():
        others = [p for p in points.values() if p != (energy, loss)]
        if not any(e <= energy and x <= loss for e, x in others):
            kept.append(name)
    return sorted(kept, key=lambda name: points[name])


def points_of(cells: Sequence[StudyCell], known: Looks) -> dict[str, tuple[float, float]]:
    """Energy [pJ] and mean loss at the end of the mitigations where both are known, by letter."""
    found = {}
    for cell in cells:
        energy, loss = energy_pj(cell), cell.mean[-1]
        if energy is not None and loss is not None:
            found[known[of(cell)].letter] = (energy, loss)
    return found


def loss_against_energy(
    study: Study, cells: Sequence[StudyCell], known: Looks, scale: Scale, name: str
) -> Markup:
    """Scatter of the mitigations in `cells`, those of one panel; points of the front are filled."""
    page, axes = panel()
    points = points_of(cells, known)
    best = front(points)
    _energies(axes, [energy for energy, _ in points.values()])
    steps = np.array([points[letter] for letter in best]).reshape(-1, 2)
    axes.plot(*steps.T, color=SOFT, lw=0.8, ls=DOTTED, drawstyle="steps-post", zorder=1.5)
    for cell in cells:
        look = known[of(cell)]
        if look.letter in points:
            _point(axes, cell, points[look.letter], look, scale, filled=look.letter in best)
    scale.apply(axes)
    _names(axes, cells, known, points, scale)
    axes.axhline(study.software[cells[0].network], color=INK, lw=0.9)
    axes.set_xlabel("energy: refreshes and one calibration")
    told = "; ".join(f"{x}: {energy_text(e)}, {loss:.4g}" for x, (e, loss) in points.items())
    told = f"{told}. On the front: {', '.join(best)}." if points else "Nothing was measured."
    return slim(svg.inline(page, name, "Loss against energy"), "Loss against energy", told)


def _point(
    axes: Axes,
    cell: StudyCell,
    point: tuple[float, float],
    look: Look,
    scale: Scale,
    *,
    filled: bool,
) -> None:
    """A mark with its interval; at the top if it is beyond."""
    (energy, loss), half = point, cell.half_width[-1] or 0.0
    colour = SOFT if look.colour is None else look.colour
    size = 3.0 if look.colour is None else 5.5
    if loss <= scale.high:
        axes.plot([energy, energy], [loss - half, loss + half], color=colour, lw=1.2)
    shown, fill = min(loss, scale.high), colour if filled else "none"
    axes.plot(energy, shown, marker="o", ms=size, mec=colour, mfc=fill, mew=1.3, clip_on=False)


def _energies(axes: Axes, energies_pj: Sequence[float]) -> None:
    """A logarithmic axis on which no energy has a place."""
    above = [e for e in energies_pj if e > 0.0]
    if above:
        low, high = (math.log10(end(above)) for end in (min, max))
        axes.set_xscale("symlog", linthresh=10.0 ** math.floor(low), linscale=0.7)
        step = max(1, math.ceil((high - low) / (MOST_TICKS - 1)))
        decades = range(math.floor(low), math.ceil(high) + 1, step)
        ticks = [*([0.0] if len(above) < len(energies_pj) else []), *(10.0**k for k in decades)]
        axes.set_xticks(ticks, [energy_text(tick) if tick else "0" for tick in ticks])
        axes.set_xlim(-0.3 * 10.0 ** math.floor(low), 10.0 ** (high + 0.08 * (high - low) + 0.5))
    else:
        axes.set_xticks([0.0], ["0"])
    axes.xaxis.set_minor_locator(NullLocator())


def _names(
    axes: Axes,
    cells: Sequence[StudyCell],
    known: Looks,
    points: Mapping[str, tuple[float, float]],
    scale: Scale,
) -> None:
    """Letters beside the points; those of one energy above each other."""
    colours = {look.letter: colour for _, look, colour in drawn(cells, known)}
    for energy in {points[letter][0] for letter in colours if letter in points}:
        column = {x: points[x][1] for x in colours if x in points and points[x][0] == energy}
        heights = apart({x: scale.share(loss) for x, loss in column.items()}, LETTER_GAP)
        for letter, height in heights.items():
            loss = column[letter]
            axes.annotate(
                f"{letter} ↑ {loss:.3g}" if loss > scale.high else letter,
                (energy, height),
                xycoords=axes.get_xaxis_transform(),
                xytext=(5.0, 5.0),
                textcoords="offset points",
                color=colours[letter],
                va="center",
                size=8.0,
                weight="bold",
                annotation_clip=False,
            )
