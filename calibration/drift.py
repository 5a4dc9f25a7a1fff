"""Drift, programming spread and read noise of each level, from drift traces.

The hierarchical model of `pcmsim.calibration.drift_model` is fitted to the sums of each level, so
that a file is read twice and never held: once for the sums, once for the scores of the devices,
which give standard errors that hold whatever the distributions are. Read noise, which inflates a
plain spread of fitted exponents by 20 to 45 %, is part of the model.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.clusters import clustered
from pcmsim.calibration.drift_levels import AnyLevel, solve_levels
from pcmsim.calibration.drift_share import ShareTerm, nu_share, signals
from pcmsim.calibration.estimate import Estimate, Exclusion
from pcmsim.calibration.law_fits import LevelTable
from pcmsim.calibration.noise_model import spectrum_covariance
from pcmsim.calibration.pairwise import Pairwise
from pcmsim.calibration.records import DriftTraces, Instrument
from pcmsim.calibration.structure import Solution
from pcmsim.calibration.tally import Tally, by_level, tally
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

LEVEL_NAMES = ("g_location", "g_spread", "noise_power", "nu_mean", "nu_variance")
# With less than this ratio of the last time to the first, drift and slow noise look alike.
LEAST_SPAN = 10.0


@dataclass(frozen=True)
class LevelFit:
    """One level: what its devices are like.

    g_target        conductance they were programmed to [µS]
    estimate        location [µS] and spread of the conductance at t0: mean and variance [µS²], or
                    median and variance of ln G after RESET; noise power E[Q² G²] [µS²]; mean and
                    variance of ν before folding
    sums, folds     moments of all rows, and of each fold of the devices
    model, solution the model, and its moments at the estimate
    device          numbers of the devices (n,)
    influence       what each device adds to the error of the estimate (n, 5)
    """

    g_target: float
    estimate: Estimate
    sums: Pairwise
    folds: tuple[Pairwise, ...]
    model: AnyLevel
    solution: Solution
    device: FloatArray
    influence: FloatArray


@dataclass(frozen=True)
class DriftFit:
    """All levels, the share of the exponent that stays with a device, and what was left out.

    t_s             times of the reads since the last pulse [s]
    t0_s            time at which conductances are defined [s]
    exponent        γ of the noise that was assumed
    share           `nu_device_share`, if devices were programmed more than once
    """

    t_s: FloatArray
    t0_s: float
    exponent: float
    levels: tuple[LevelFit, ...]
    share: Estimate | None
    exclusions: tuple[Exclusion, ...]

    def table(self) -> LevelTable:
        """Estimates of all levels with their joint covariance, devices in common included."""
        return LevelTable(
            np.array([level.g_target for level in self.levels]),
            np.array([level.estimate.values for level in self.levels]),
            clustered([(level.device, level.influence) for level in self.levels]),
            np.array([level.solution.variances / level.sums.n for level in self.levels]),
            sum(level.estimate.n for level in self.levels),
        )


def fit_drift(
    parts: Iterable[DriftTraces],
    instrument: Instrument,
    g_max: float,
    t0_s: float,
    exponent: float = 1.0,
) -> DriftFit:
    """Fit every level of the drift traces; `parts` is iterated twice.

    `g_max` is the largest conductance that is programmed [µS], `t0_s` the time since the last pulse
    at which conductances are defined [s], `exponent` the γ of the read noise. Left out, and
    counted: devices whose programming did not converge, rows without any read, levels of fewer than
    20 devices. Raises `DataError` if nothing is left or the times span less than a decade.

    Drift: Le Gallo et al., doi:10.1002/aelm.201700627. Estimator: `pcmsim.calibration.structure`.
    """
    found = tally(parts)
    if found.t_s.size < 4 or found.t_s[-1] < LEAST_SPAN * found.t_s[0]:
        raise DataError(
            f"drift: {found.t_s.size} reads from {found.t_s[0]:g} to {found.t_s[-1]:g} s cannot "
            f"tell drift from slow noise; take four or more over a factor of {LEAST_SPAN:g} or more"
        )
    noise = spectrum_covariance(found.t_s, exponent, instrument.t_read_s)
    log_age = np.log(found.t_s / t0_s)
    solved = solve_levels(found, log_age, noise, instrument.g_variance, g_max)
    levels, terms = _second_pass(parts, found, solved)
    return DriftFit(found.t_s, t0_s, exponent, levels, nu_share(terms), found.exclusions)


def _second_pass(
    parts: Iterable[DriftTraces],
    found: Tally,
    solved: dict[float, tuple[AnyLevel, Solution]],
) -> tuple[tuple[LevelFit, ...], list[ShareTerm]]:
    """What each device adds to the errors, and its signal for the share."""
    collected: dict[float, list[tuple[FloatArray, ...]]] = {g: [] for g in solved}
    for part in parts:
        for rows in by_level(part):
            if rows.g_target in solved:
                solution, sums = solved[rows.g_target][1], found.sums(rows.g_target)
                influence = solution.influence(rows.g, sums)
                signal = signals(solution, sums, rows.g)
                collected[rows.g_target].append((rows.device, rows.programming, influence, signal))
    levels, terms = [], []
    for g_target, (model, solution) in solved.items():
        columns = zip(*collected[g_target], strict=True)
        device, programming, influence, signal = (np.concatenate(column) for column in columns)
        levels.append(_level(g_target, model, solution, found, device, influence))
        terms.append(ShareTerm(model, solution, device, programming, signal, influence))
    return tuple(levels), terms


def _level(
    g_target: float,
    model: AnyLevel,
    solution: Solution,
    found: Tally,
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
    sums, folds = found.sums(g_target), tuple(found.folds[g_target])
    return LevelFit(g_target, estimate, sums, folds, model, solution, numbers, per_device)
