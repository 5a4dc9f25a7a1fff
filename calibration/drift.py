"""Drift, programming spread and read noise of each level, from drift traces.

The hierarchical model of `pcmsim.calibration.drift_model` is fitted to the sums of each level, so
that a file is read twice and never held: once for the sums, once for the scores of the devices,
which give standard errors that hold whatever the distributions are. Read noise, which inflates a
plain spread of fitted exponents by 20 to 45 %, is part of the model.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from pcmsim.calibration.clusters import clustered
from pcmsim.calibration.drift_model import LEVEL_NAMES, LevelModel
from pcmsim.calibration.drift_share import ShareTerm, nu_share, share_terms
from pcmsim.calibration.estimate import Estimate, Exclusion
from pcmsim.calibration.noise_model import spectrum_covariance
from pcmsim.calibration.pairwise import Pairwise, pairwise
from pcmsim.calibration.records import DriftTraces, Instrument
from pcmsim.calibration.structure import Solution, solve
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

FOLDS = 5
FEWEST = 20


@dataclass(frozen=True)
class LevelFit:
    """One level: what its devices are like.

    g_target        conductance they were programmed to [µS]
    estimate        mean and variance of the conductance at t0 [µS, µS²], noise power E[Q² G²]
                    [µS²], mean and variance of ν before folding
    sums            sums of all rows, and of each fold of the devices
    model, point    the model and its moments at the estimate
    influence       what each device adds to the error of the estimate (n, 5)
    device          numbers of the devices (n,)
    """

    g_target: float
    estimate: Estimate
    sums: Pairwise
    folds: tuple[Pairwise, ...]
    model: LevelModel
    solution: Solution
    influence: FloatArray
    device: FloatArray


@dataclass(frozen=True)
class DriftFit:
    """All levels, the share of the exponent that stays with a device, and what was left out.

    t_s             times of the reads since the last pulse [s]
    t0_s            time at which conductances are defined [s]
    share           `nu_device_share`, if devices were programmed more than once
    """

    t_s: FloatArray
    t0_s: float
    exponent: float
    levels: tuple[LevelFit, ...]
    share: Estimate | None
    exclusions: tuple[Exclusion, ...]

    def covariance(self) -> FloatArray:
        """Covariance of the estimates of all levels, devices in common included (5 L, 5 L)."""
        parts = [(level.device, level.influence) for level in self.levels]
        return clustered(parts)


def fit_drift(
    parts: Iterable[DriftTraces],
    instrument: Instrument,
    t0_s: float,
    exponent: float = 1.0,
) -> DriftFit:
    """Fit every level of the drift traces; `parts` is iterated twice.

    `t0_s` is the time since the last pulse at which conductances are defined [s], `exponent` the γ
    of the read noise. Left out, and counted: devices whose programming did not converge, rows
    without any read, levels of fewer than 20 devices. Raises `DataError` if nothing is left or the
    times cover too little.

    Model: physics of Le Gallo et al., doi:10.1002/aelm.201700627; estimator: see
    `pcmsim.calibration.structure`.
    """
    tally = _Tally(parts)
    t_s = tally.t_s
    noise = spectrum_covariance(t_s, exponent, instrument.t_read_s)
    model = LevelModel(np.log(t_s / t0_s), noise, instrument.g_variance)
    solved = {
        g: _solve(model, sum(folds[1:], folds[0]), g) for g, folds in sorted(tally.folds.items())
    }
    levels, terms = _second_pass(parts, model, solved, tally)
    return DriftFit(t_s, t0_s, exponent, levels, nu_share(terms), tuple(tally.exclusions()))


class _Tally:
    """First pass: sums by level and fold, and counts of what is left out."""

    def __init__(self, parts: Iterable[DriftTraces]) -> None:
        self.folds: dict[float, list[Pairwise]] = {}
        self._left_out = {"programming did not converge": [0, []], "no read at all": [0, []]}
        self._missing, first, t_s = 0, 0, None
        for part in parts:
            t_s = part.t_s if t_s is None else t_s
            if not np.array_equal(t_s, part.t_s):
                raise DataError("drift: parts with different times; fit them one by one")
            self._count(part, first)
            first += part.g.shape[0]
            for g_target, _, rows, devices in by_level(part):
                self._add(g_target, rows, devices)
        if t_s is None:
            raise DataError("drift: there are no traces")
        self.t_s = np.asarray(t_s, dtype=np.float64)
        few = {g for g, folds in self.folds.items() if sum(f.n for f in folds) < FEWEST}
        self._few = [(g, sum(f.n for f in self.folds.pop(g))) for g in sorted(few)]
        if not self.folds:
            raise DataError(f"drift: no level has {FEWEST} devices or more; measure more devices")

    def _count(self, part: DriftTraces, first: int) -> None:
        empty = np.isnan(part.g).all(axis=1)
        failed = ~np.asarray(part.converged, dtype=bool)
        for reason, rows in zip(self._left_out, (failed, empty & ~failed), strict=True):
            self._left_out[reason][0] += int(rows.sum())
            self._left_out[reason][1] += list(first + np.flatnonzero(rows))[:1000]
        self._missing += int(np.isnan(part.g[~failed & ~empty]).sum())

    def _add(self, g_target: float, rows: FloatArray, devices: FloatArray) -> None:
        fold = fold_of(devices)
        sums = [pairwise(rows[fold == k], g_target) for k in range(FOLDS)]
        before = self.folds.get(g_target)
        self.folds[g_target] = sums if before is None else [a + b for a, b in zip(before, sums)]

    def exclusions(self) -> Iterator[Exclusion]:
        for reason, (count, rows) in self._left_out.items():
            if count:
                yield Exclusion("drift", reason, count, rows=tuple(int(r) for r in rows[:1000]))
        for g, n in self._few:
            yield Exclusion("drift", f"fewer than {FEWEST} devices at {g:g} uS", n)
        if self._missing:
            yield Exclusion("drift", "sample is missing", self._missing, what="samples")


def fold_of(device: FloatArray) -> FloatArray:
    """Fold of each device, from its number alone: all programmings of a device share one.

    >>> fold_of(np.array([0, 1, 2, 0]))[[0, 3]].tolist() == [fold_of(np.array([0]))[0]] * 2
    True
    """
    mixed = (np.asarray(device, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    return np.asarray(mixed % np.uint64(FOLDS)).astype(np.int64)


def by_level(part: DriftTraces) -> Iterator[tuple[float, FloatArray, FloatArray, FloatArray]]:
    """Target, programmings, rows and devices of each level of a part that a fit uses."""
    used = np.asarray(part.converged, dtype=bool) & ~np.isnan(part.g).all(axis=1)
    for g_target in np.unique(part.g_target[used]):
        at = np.flatnonzero(used & (part.g_target == g_target))
        rows = np.asarray(part.g[at], dtype=np.float64)
        yield float(g_target), part.programming[at], rows, part.device[at]


def _solve(model: LevelModel, sums: Pairwise, g_target: float) -> tuple[Pairwise, Solution]:
    sums.check()
    start = model.start(sums)
    try:
        return sums, solve(model, sums, start, model.scale(start))
    except DataError as error:
        raise DataError(f"drift at {g_target:g} uS: {error}") from None


def _second_pass(
    parts: Iterable[DriftTraces],
    model: LevelModel,
    solved: dict[float, tuple[Pairwise, Solution]],
    tally: _Tally,
) -> tuple[tuple[LevelFit, ...], list[ShareTerm]]:
    found: dict[float, list[tuple[FloatArray, ...]]] = {g: [] for g in solved}
    for part in parts:
        for g_target, programming, rows, devices in by_level(part):
            if g_target in solved:
                sums, solution = solved[g_target]
                influence = solution.influence(rows, sums)
                signal = share_terms(model, solution, sums, rows)
                found[g_target].append((devices, programming, influence, signal))
    levels, terms = [], []
    for g_target, (sums, solution) in solved.items():
        device, programming, influence, signal = (
            np.concatenate(columns) for columns in zip(*found[g_target], strict=True)
        )
        level = _level(g_target, model, sums, solution, device, influence)
        levels.append(replace(level, folds=tuple(tally.folds[g_target])))
        terms.append(ShareTerm(model, solution, device, programming, signal, influence))
    return tuple(levels), terms


def _level(
    g_target: float,
    model: LevelModel,
    sums: Pairwise,
    solution: Solution,
    device: FloatArray,
    influence: FloatArray,
) -> LevelFit:
    numbers, which = np.unique(device, return_inverse=True)
    per_device = np.zeros((numbers.size, influence.shape[1]))
    np.add.at(per_device, which, influence)
    estimate = Estimate(
        LEVEL_NAMES,
        solution.theta,
        clustered([(numbers, per_device)]),
        numbers.size,
        solution.converged,
        solution.message,
    )
    return LevelFit(g_target, estimate, sums, (), model, solution, per_device, numbers)
