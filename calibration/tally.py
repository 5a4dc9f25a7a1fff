"""First pass over drift traces: sums of each level, and counts of what is left out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.estimate import Exclusion
from pcmsim.calibration.pairwise import Pairwise, pairwise
from pcmsim.calibration.records import DriftTraces
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

FOLDS = 5
FEWEST = 20
_LISTED = 1000


@dataclass(frozen=True)
class Rows:
    """Rows of one level of a part that a fit uses."""

    g_target: float
    device: FloatArray
    programming: FloatArray
    g: FloatArray


@dataclass(frozen=True)
class Tally:
    """Sums of every level, fold by fold, and what was left out.

    t_s             times of the reads since the last pulse [s] (k,)
    folds           for each target, the sums of the five folds of its devices
    """

    t_s: FloatArray
    folds: dict[float, list[Pairwise]]
    exclusions: tuple[Exclusion, ...]

    def sums(self, g_target: float) -> Pairwise:
        """Sums of all rows of a level."""
        first, *others = self.folds[g_target]
        return sum(others, first)


def tally(parts: Iterable[DriftTraces], dataset: str = "drift") -> Tally:
    """Count and sum the traces. Raises `DataError` if there are none, or their times differ."""
    folds: dict[float, list[Pairwise]] = {}
    failed, empty = _Rejects("programming did not converge"), _Rejects("no read at all")
    missing, first, t_s = 0, 0, None
    for part in parts:
        t_s = part.t_s if t_s is None else t_s
        if not np.array_equal(t_s, part.t_s):
            raise DataError(f"{dataset}: parts have different times; fit them one by one")
        blank = np.isnan(part.g).all(axis=1)
        converged = np.asarray(part.converged, dtype=bool)
        failed.add(~converged, first)
        empty.add(blank & converged, first)
        missing += int(np.isnan(part.g[converged & ~blank]).sum())
        first += part.g.shape[0]
        for rows in by_level(part):
            _add(folds, rows)
    if t_s is None:
        raise DataError(f"{dataset}: there are no traces")
    few = {g: n for g, n in _counts(folds).items() if n < FEWEST}
    kept = {g: folds[g] for g in sorted(folds) if g not in few}
    if not kept:
        raise DataError(f"{dataset}: no level has {FEWEST} devices or more; measure more devices")
    exclusions = [reject.exclusion(dataset) for reject in (failed, empty) if reject.count]
    exclusions += [
        Exclusion(dataset, f"fewer than {FEWEST} devices at {g:g} uS", n) for g, n in few.items()
    ]
    if missing:
        exclusions.append(Exclusion(dataset, "the sample is missing", missing, what="samples"))
    return Tally(np.asarray(t_s, dtype=np.float64), kept, tuple(exclusions))


def by_level(part: DriftTraces) -> Iterator[Rows]:
    """Rows of each level of a part: converged devices with at least one read."""
    used = np.asarray(part.converged, dtype=bool) & ~np.isnan(part.g).all(axis=1)
    for g_target in np.unique(part.g_target[used]):
        at = np.flatnonzero(used & (part.g_target == g_target))
        g = np.asarray(part.g[at], dtype=np.float64)
        yield Rows(float(g_target), part.device[at], part.programming[at], g)


def fold_of(device: FloatArray) -> FloatArray:
    """Fold of each device, from its number alone: all programmings of a device share one.

    >>> folds = fold_of(np.array([7, 8, 7]))
    >>> bool(folds[0] == folds[2])
    True
    """
    mixed = (np.asarray(device, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    return np.asarray(mixed % np.uint64(FOLDS)).astype(np.int64)


class _Rejects:
    """Rows left out for one reason."""

    def __init__(self, reason: str) -> None:
        self.reason, self.count = reason, 0
        self._rows: list[int] = []

    def add(self, rejected: FloatArray, first: int) -> None:
        at = np.flatnonzero(rejected)
        self.count += at.size
        self._rows += [first + int(row) for row in at[: max(_LISTED - len(self._rows), 0)]]

    def exclusion(self, dataset: str) -> Exclusion:
        return Exclusion(dataset, self.reason, self.count, rows=tuple(self._rows))


def _add(folds: dict[float, list[Pairwise]], rows: Rows) -> None:
    fold = fold_of(rows.device)
    sums = [pairwise(rows.g[fold == k], rows.g_target) for k in range(FOLDS)]
    before = folds.get(rows.g_target)
    if before is not None:
        sums = [a + b for a, b in zip(before, sums, strict=True)]
    folds[rows.g_target] = sums


def _counts(folds: dict[float, list[Pairwise]]) -> dict[float, int]:
    return {g: sum(fold.n for fold in parts) for g, parts in sorted(folds.items())}
