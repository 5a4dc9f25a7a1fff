"""Devices that cannot be programmed, from a yield map: how many of each kind, and where they stand.

A working device follows RESET and the strongest SET; the two reads of a stuck one agree. Stuck
devices are a mixture: near zero (stuck RESET), around `stuck_set_mean` g_max (stuck SET), or
anywhere between (not tunable), so that no threshold decides about a single device near a level.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr, xlogy

from pcmsim.calibration.estimate import Estimate, Exclusion
from pcmsim.calibration.records import (
    NOT_TUNABLE,
    STUCK_AT_RESET,
    STUCK_AT_SET,
    UNKNOWN,
    WORKING,
    YieldMap,
)
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

NAMES = ("p_stuck_reset", "p_stuck_set", "p_untunable", "stuck_set_mean", "stuck_set_std")
# Of g_max: what a working device moves at least, and what no RESET device reaches.
_MOVES, _RESET_TOP = 0.25, 0.06
_FEWEST = 5


@dataclass(frozen=True)
class FaultFit:
    """Shares of faulty devices, level of those stuck in SET, and a verdict on each device.

    estimate        shares, and mean and spread of stuck-SET conductances in units of g_max; level
                    and spread are absent if fewer than five devices are stuck there
    verdict         code of each device (n,), the most probable kind
    counts          devices by verdict
    """

    estimate: Estimate
    verdict: FloatArray
    counts: dict[str, int]
    exclusions: tuple[Exclusion, ...]


def fit_faults(yields: YieldMap, g_max: float, relative_noise: float = 0.0) -> FaultFit:
    """Fit a yield map by maximum likelihood.

    `g_max` is the largest conductance that is programmed [µS]; `relative_noise` the standard
    deviation of one read relative to the conductance, near g_max, which does not count as spread of
    the devices. Verdicts of the tester, where there are any, overrule the reads. Errors from the
    curvature of the likelihood. Raises `DataError` if no device can be judged.
    """
    g_min, g_high = np.asarray(yields.g_min, float), np.asarray(yields.g_max, float)
    told = np.asarray(yields.state) != UNKNOWN
    read = np.isfinite(g_min) & np.isfinite(g_high)
    known = read | told
    lost = int((~known).sum())
    if lost == known.size:
        raise DataError("yield: no device has both reads or a verdict; nothing can be counted")
    level = 0.5 * (g_min + g_high) / g_max
    moves = np.where(told, yields.state == WORKING, g_high - g_min > _MOVES * g_max)
    works, stuck = moves[known], level[known & ~moves]
    noise = relative_noise / np.sqrt(2.0)
    estimate, odds = _mixture(int(works.sum()), stuck[np.isfinite(stuck)], noise)
    verdict = np.full(known.size, UNKNOWN)
    verdict[known] = WORKING
    faulty = np.flatnonzero(known)[~works]
    verdict[faulty[np.isfinite(level[faulty])]] = odds
    verdict = np.where(told, yields.state, verdict)
    kinds = {
        "working": WORKING,
        "stuck RESET": STUCK_AT_RESET,
        "stuck SET": STUCK_AT_SET,
        "not tunable": NOT_TUNABLE,
        "unknown": UNKNOWN,
    }
    counts = {name: int((verdict == code).sum()) for name, code in kinds.items()}
    rows = tuple(int(r) for r in np.flatnonzero(~known)[:1000])
    excluded = (Exclusion("yield", "a read is missing", lost, rows=rows),) if lost else ()
    return FaultFit(estimate, verdict, counts, excluded)


def _mixture(working: int, level: FloatArray, noise: float) -> tuple[Estimate, FloatArray]:
    """Shares and stuck-SET level from `working` devices and the levels of the others [g_max]."""
    low = level < _RESET_TOP
    high = level[~low]
    n = working + level.size
    near_set = high[high > 0.9]
    with_set = near_set.size >= _FEWEST
    shares = np.array([low.sum(), near_set.size, high.size - near_set.size])
    start = np.log((shares + 0.5) / n)
    if with_set:
        start = np.append(start, [near_set.mean(), np.log(max(near_set.std(), 0.01))])

    def cost(theta: FloatArray) -> float:
        p = np.exp(theta[:3])
        if p.sum() >= 1.0:
            return float("inf")
        of_set, between = _densities(high, theta, noise, with_set)
        total = working * np.log1p(-p.sum())
        total += float(xlogy(int(low.sum()), p[0] + p[2] * _RESET_TOP))
        return -float(total + np.sum(np.log(p[1] * of_set + p[2] * between + 1e-300)))

    options = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 20_000, "maxfev": 20_000}
    best = minimize(cost, start, method="Nelder-Mead", options=options)
    hessian = _hessian(cost, best.x)
    slope = np.append(np.exp(best.x[:3]), [1.0, np.exp(best.x[4])] if with_set else [])
    covariance = np.linalg.pinv(hessian, hermitian=True) * np.outer(slope, slope)
    values = np.append(np.exp(best.x[:3]), [best.x[3], np.exp(best.x[4])] if with_set else [])
    names = NAMES[: values.size]
    estimate = Estimate(names, values, covariance, n, bool(best.success), str(best.message))
    of_set, between = _densities(high, best.x, noise, with_set)
    verdict = np.full(level.size, STUCK_AT_RESET)
    is_set = values[1] * of_set > values[2] * between
    verdict[~low] = np.where(is_set, STUCK_AT_SET, NOT_TUNABLE)
    return estimate, verdict


def _densities(
    level: FloatArray, theta: FloatArray, noise: float, with_set: bool
) -> tuple[FloatArray, FloatArray]:
    """Density of the read levels [g_max] of devices stuck in SET, and of those not tunable."""
    mean, std = (theta[3], np.exp(theta[4])) if with_set else (1.1, 0.1)
    total = np.hypot(std, noise * mean)
    of_set = np.exp(-0.5 * ((level - mean) / total) ** 2) / (total * np.sqrt(2.0 * np.pi))
    blur = np.maximum(noise * level, 1e-6)
    return of_set, ndtr((1.0 - level) / blur)


def _hessian(cost: Callable[[FloatArray], float], at: FloatArray) -> FloatArray:
    """Second derivatives of the cost by central differences."""
    steps = 1e-3 * np.eye(at.size)
    result = np.zeros((at.size, at.size))
    for i, a in enumerate(steps):
        for j, b in enumerate(steps):
            corners = cost(at + a + b) - cost(at + a - b) - cost(at - a + b) + cost(at - a - b)
            result[i, j] = corners / (4.0 * 1e-3**2)
    return result
