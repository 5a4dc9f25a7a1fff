"""Solving the moments of all levels: plainly first, then the low ones with the law of the noise."""

from functools import partial

import numpy as np

from pcmsim.calibration.drift_low import CutNoise, LowLevelModel
from pcmsim.calibration.drift_model import LevelModel
from pcmsim.calibration.law_fits import LevelTable
from pcmsim.calibration.noise_law import fit_noise_law
from pcmsim.calibration.pairwise import Pairwise
from pcmsim.calibration.structure import Model, Solution, solve
from pcmsim.calibration.tally import Tally
from pcmsim.devices.laws import ClippedPower, FloatArray
from pcmsim.errors import DataError

AnyLevel = LevelModel | LowLevelModel
# Reads at this many standard deviations of their noise, or conductances at this many of their
# placement, do not reach zero often enough to matter.
_CLEAR = 5.0
# The law of the noise and the low levels depend on each other only weakly.
_ROUNDS = 6


def solve_levels(
    found: Tally, log_age: FloatArray, noise: FloatArray, variance: float, g_max: float
) -> dict[float, tuple[AnyLevel, Solution]]:
    """Model and solution of every level.

    `log_age` is ln(t/t0) (k,), `noise` the covariance of the noise in units of Q (k, k), `variance`
    what the instrument adds to a read [µS²]. Levels that come near zero are solved again, each
    device with the Q of its own conductance, by the law through all levels.
    """
    plain = LevelModel(log_age, noise, variance)
    solved: dict[float, tuple[AnyLevel, Solution]] = {}
    for g_target in found.folds:
        sums = found.sums(g_target)
        solved[g_target] = plain, _solved(plain, sums, plain.start(sums), g_target)
    low = [g for g, (_, solution) in solved.items() if _is_low(g, solution, noise)]
    if not low:
        return solved
    cut, law = CutNoise(noise), _first_law(solved, low, g_max)
    for round_ in range(_ROUNDS):
        for g_target in low:
            reset = g_target == 0.0
            model = LowLevelModel(plain, cut, partial(_amplitude, law, g_max), reset)
            theta = solved[g_target][1].theta
            start = theta if round_ else model.start(theta)
            sums = found.sums(g_target)
            solved[g_target] = model, _solved(model, sums, start, g_target)
        law = _law(solved, g_max) or law
    return solved


def _amplitude(law: ClippedPower, g_max: float, g: FloatArray) -> FloatArray:
    return law(g / g_max)


def _is_low(g_target: float, solution: Solution, noise: FloatArray) -> bool:
    m, v, w = solution.theta[:3]
    near = m**2 < _CLEAR**2 * v
    cut = w / (m**2 + v) * np.diag(noise).max() * _CLEAR**2 > 1.0
    return bool(g_target == 0.0 or near or cut)


def _solved(model: AnyLevel, sums: Pairwise, start: FloatArray, g_target: float) -> Solution:
    sums.check()
    scale = model.scale(start)
    described: Model = model
    try:
        return solve(described, sums, start, scale)
    except DataError as error:
        raise DataError(f"drift at {g_target:g} uS: {error}") from None


def _first_law(
    solved: dict[float, tuple[AnyLevel, Solution]], low: list[float], g_max: float
) -> ClippedPower:
    """A power law through the levels that are clear of zero, which reaches down to the others."""
    clear = [solution.theta for g, (_, solution) in solved.items() if g not in low]
    thetas = np.array(clear or [solution.theta for _, solution in solved.values()])
    q = np.sqrt(np.maximum(thetas[:, 2], 1e-12) / (thetas[:, 0] ** 2 + thetas[:, 1]))
    if len(clear) < 2:
        return ClippedPower(float(np.median(q)), 0.0, float(np.median(q)))
    exponent, log_c = np.polyfit(np.log(thetas[:, 0] / g_max), np.log(q), 1)
    return ClippedPower(float(np.exp(log_c)), float(exponent), 0.6)


def _law(solved: dict[float, tuple[AnyLevel, Solution]], g_max: float) -> ClippedPower | None:
    """Law through all levels, weighted by the information of each; None if they are too few."""
    if len(solved) < 3:
        return None
    solutions = [solution for _, solution in solved.values()]
    working = np.array([solution.variances for solution in solutions])
    thetas = np.array([solution.theta for solution in solutions])
    table = LevelTable(np.array(list(solved)), thetas, np.diag(working.ravel()), working, 1)
    law = fit_noise_law(table, g_max).law
    return law if isinstance(law, ClippedPower) else None
