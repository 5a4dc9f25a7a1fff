"""Metrics of chips as time goes by: grouped, at the times a table shows, and with their band."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pcmsim.report.records import Point
from pcmsim.units import DAY_S, HOUR_S, format_duration

COMPENSATIONS = {
    "none": "no compensation",
    "global": "one factor per matrix",
    "column": "one factor per column",
    "affine": "factor and offset per column",
}
MILESTONES_S = (0.0, 1.0, HOUR_S, DAY_S, 4 * DAY_S)
FEWEST_FOR_PERCENTILES = 20
DWARFED = 4.0


def by_compensation(points: Sequence[Point]) -> dict[str, list[Point]]:
    """Points of each compensation in the order of the results, by increasing time."""
    kinds = dict.fromkeys(point.compensation for point in points)
    return {
        kind: sorted((p for p in points if p.compensation == kind), key=lambda p: p.t_s)
        for kind in kinds
    }


def compensated(found: Mapping[str, list[Point]]) -> dict[str, list[Point]]:
    """Leave out the curve without compensation."""
    return {kind: points for kind, points in found.items() if kind != "none"}


def dwarfed(points: Sequence[Point], software_metric: float) -> bool:
    """Whether the loss without compensation is several times the loss with any."""
    found = by_compensation(points)
    others = [p.mean - software_metric for ps in compensated(found).values() for p in ps]
    if not others or "none" not in found:
        return False
    alone = max(p.mean for p in found["none"]) - software_metric
    return alone > DWARFED * max(max(others), 0.0)


def spread(point: Point) -> tuple[float, float]:
    """Band over the chips: 5th to 95th percentile of 20 chips or more, else minimum to maximum."""
    if len(point.per_chip) < FEWEST_FOR_PERCENTILES:
        return min(point.per_chip), max(point.per_chip)
    low, high = np.percentile(point.per_chip, [5.0, 95.0])
    return float(low), float(high)


def moments_s(times_s: Sequence[float]) -> list[float]:
    """Milestones that were measured, and the last time of all.

    >>> moments_s([0.0, 10.0, 3600.0, 7200.0])
    [0.0, 3600.0, 7200.0]
    """
    last_s = max(times_s)
    reached = [t for t in MILESTONES_S if any(_same(t, t_s) for t_s in times_s)]
    if not any(_same(last_s, t_s) for t_s in reached):
        reached.append(last_s)
    return reached


def at(points: Sequence[Point], t_s: float) -> Point | None:
    """Point of `points` that was measured at `t_s`."""
    near = [point for point in points if _same(point.t_s, t_s)]
    return near[0] if near else None


def moment_text(t_s: float) -> str:
    """Name of a time.

    >>> moment_text(0.0), moment_text(3600.0)
    ('right after', '1 h')
    """
    return format_duration(t_s) if t_s else "right after"


def chips_text(chips: int) -> str:
    """Number of chips in words.

    >>> chips_text(1), chips_text(8)
    ('one chip', '8 chips')
    """
    return "one chip" if chips == 1 else f"{chips:,} chips"


def band_text(points: Sequence[Point]) -> str:
    """What the band of `points` spans."""
    fewest = min(len(point.per_chip) for point in points)
    if fewest == 1:
        return "nothing, for there is one chip"
    if fewest >= FEWEST_FOR_PERCENTILES:
        return "the 5th to the 95th percentile of the chips"
    return "the least to the greatest of the chips"


def _same(one_s: float, other_s: float) -> bool:
    return math.isclose(one_s, other_s, rel_tol=1e-3)
