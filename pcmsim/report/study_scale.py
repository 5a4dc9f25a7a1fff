"""The vertical axis that panels of a study share, and letters beside it that do not touch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from pcmsim.report.study_look import Mitigation, of
from pcmsim.report.study_records import Study, StudyCell

# Curves leave the panel at the top if they rise above this many times what half of them reach.
DWARFED = 1.5
FAR = 3.0  # a tolerance this many times higher than all curves is not drawn


@dataclass(frozen=True)
class Scale:
    """From `low` to `high`."""

    low: float
    high: float

    def apply(self, axes: Axes) -> None:
        """Make it the vertical axis of `axes`."""
        axes.set_ylim(self.low, self.high)

    def share(self, y: float) -> float:
        """Height of `y` as a share of the axis; beyond an end it is that end.

        >>> Scale(8.0, 10.0).share(9.0), Scale(8.0, 10.0).share(12.0)
        (0.5, 1.0)
        """
        return float(np.clip((y - self.low) / (self.high - self.low), 0.0, 1.0))


def scale_of(study: Study, cells: Sequence[StudyCell], *, at_the_end: bool = False) -> Scale:
    """Axis for the losses [nat/step] of `cells`, all of one network, at all times or the last.

    It reaches from the software metric to the largest loss. Mitigations that lose more than 1.5
    times what the better half of them does, and than the tolerance, leave it at the top.
    """
    software = study.software[cells[0].network]
    peaks: dict[Mitigation, float] = {}
    lows = [software]
    for cell in cells:
        below, above = (_ends if at_the_end else _bands)(cell)
        lows += below
        highs = [x - software for x in above]
        if highs:
            peaks[of(cell)] = max(*highs, peaks.get(of(cell), highs[0]))
    height = study.tolerance
    if peaks:
        most = max(peaks.values())
        middle = float(np.quantile(list(peaks.values()), 0.5, method="lower"))
        height = min(most, DWARFED * max(study.tolerance, middle))
        if study.tolerance <= FAR * most:
            height = max(height, study.tolerance)
    low, high = min(lows), software + max(height, 0.0)
    margin = 0.05 * (high - low) or 0.05 * abs(low) or 1.0
    return Scale(low - margin, high + margin)


def _bands(cell: StudyCell) -> tuple[list[float], list[float]]:
    """Lower and upper ends of the band at all times."""
    low, high = cell.quantiles.q05, cell.quantiles.q95
    return [x for x in low if x is not None], [x for x in high if x is not None]


def _ends(cell: StudyCell) -> tuple[list[float], list[float]]:
    """Ends of the interval of the mean at the last time."""
    mean, half = cell.mean[-1], cell.half_width[-1] or 0.0
    return ([], []) if mean is None else ([mean - half], [mean + half])


def apart(heights: Mapping[str, float], gap: float) -> dict[str, float]:
    """Heights moved so that neighbours are at least `gap` apart and all lie from 0 to 1.

    >>> moved = apart({"A": 1.0, "B": 0.5, "C": 1.0}, 0.1)
    >>> {name: round(height, 3) for name, height in moved.items()}
    {'B': 0.5, 'A': 0.9, 'C': 1.0}
    """
    order = sorted(heights, key=lambda name: heights[name])
    gap = min(gap, 1.0 / max(len(order) - 1, 1))
    found: dict[str, float] = {}
    below = -gap
    for name in order:
        found[name] = below = max(heights[name], below + gap)
    above = 1.0 + gap
    for name in reversed(order):
        found[name] = above = min(found[name], above - gap)
    return found
