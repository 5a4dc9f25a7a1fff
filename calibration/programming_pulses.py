"""How many pulses closed-loop programming takes, and how many devices it never brings there.

Of the devices a share π is stuck and never accepted; the others are after k pulses, with k - 1
negative binomial: mean μ, variance μ + d μ². d = 1 is the geometric law, an equal chance in each
pulse; d = 0 that of Poisson. Who is not accepted within k_max is stuck, or would have been later:
P(not accepted) = π + (1 - π) P(k > k_max).
"""

import numpy as np
from scipy.stats import nbinom

from pcmsim.calibration.device_likelihood import derived, maximise
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.records import IntArray
from pcmsim.devices.laws import FloatArray

NAMES = ("iterations", "dispersion", "never")
# Logarithms beyond which the law of Poisson, or the tail, no longer changes.
_MOST, _LEAST = 12.0, -9.0


def fit_iterations(iterations: IntArray, converged: np.ndarray, limit: int) -> Estimate:
    """Mean number of pulses, dispersion d and share π of stuck devices, by maximum likelihood.

    `iterations` counts pulses (n,), `limit` is the number after which the loop gave up. Without a
    device that was given up, π is zero without error. One pulse for all: mean 1, nothing else.

    >>> rng = np.random.default_rng(0)
    >>> pulses = rng.geometric(0.25, 4000)
    >>> fit = fit_iterations(np.minimum(pulses, 12), pulses <= 12, 12)
    >>> abs(fit["iterations"] - 4.0) < 3 * fit.stderr("iterations")
    True
    """
    done = np.asarray(converged, dtype=bool)
    extra = np.asarray(iterations)[done] - 1
    n, failed = done.size, int((~done).sum())
    if not extra.any():
        share, blank = failed / n, np.zeros((3, 3))
        blank[2, 2] = share * (1.0 - share) / n
        return Estimate(NAMES, np.array([1.0, 0.0, share]), blank, n)
    mean, variance = float(extra.mean()), float(extra.var())
    excess = (variance - mean) / mean**2
    stuck = _logit((failed + 0.5) / (n + 1.0)) if failed else -np.inf
    start = np.array([np.log(mean), np.log(max(excess, 1e-300)), stuck])
    # What lies at the end of its range is not varied: no dispersion, no device that failed.
    free = np.array([True, excess > 2.0 / np.sqrt(n), failed > 0])
    start[1] = start[1] if free[1] else _LEAST

    def whole(theta: FloatArray) -> FloatArray:
        every = start.copy()
        every[free] = theta
        return every

    found = maximise(
        lambda theta: _log_likelihood(whole(theta), extra, done, limit),
        start[free],
        np.ones(int(free.sum())),
        [name for name, varied in zip(NAMES, free, strict=True) if varied],
    )
    return derived(found, lambda theta: _plain(whole(theta)), NAMES)


def _plain(theta: FloatArray) -> FloatArray:
    dispersion = np.exp(theta[1]) if theta[1] > _LEAST else 0.0
    return np.array([1.0 + np.exp(theta[0]), dispersion, 1.0 / (1.0 + np.exp(-theta[2]))])


def _log_likelihood(theta: FloatArray, extra: IntArray, done: np.ndarray, limit: int) -> FloatArray:
    """Of each device (n,), for θ = (ln μ, ln d, logit π)."""
    mean = float(np.exp(np.clip(theta[0], -_MOST, _MOST)))
    size = 1.0 / float(np.exp(np.clip(theta[1], _LEAST, _MOST)))
    chance = size / (size + mean)
    stuck = 1.0 / (1.0 + np.exp(-theta[2]))
    late = float(nbinom.sf(limit - 1, size, chance))
    total = np.full(done.size, np.log(stuck + (1.0 - stuck) * late + 1e-300))
    total[done] = np.log1p(-stuck) + nbinom.logpmf(extra, size, chance)
    return total


def _logit(p: float) -> float:
    return float(np.log(p / (1.0 - p)))
