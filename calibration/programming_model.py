"""Likelihood of the reads of devices that a verify window has selected.

A pulse leaves the true conductance u at the age of the verify read; the read is y = u + n, and the
device is accepted if |y - target| <= τ. Selection acts on y alone, so that

    p(y, z | accepted) = p(y | |y - target| <= τ) p(z | y),

where the later reads z given y are as without any window (Pearson, Phil. Trans. A 200, 1, 1903,
doi:10.1098/rsta.1903.0001). The first factor is that of `pcmsim.calibration.truncated`. For the
second, all that matters of the pulses is the density of y within the window, ln f = a x - c x²/2
with x = y - target: by Tweedie's formula E[u|y] = y + σ² (ln f)' and var(u|y) = σ² + σ⁴ (ln f)'',
σ² being the variance of the verify read (Efron, doi:10.1198/jasa.2011.tm11181). Later reads
are z_j = u (t_j/t_v)^-ν (1 + Q n_j), with <n_j n_k> = C_jk shared with the verify read.

Selection ties the exponent to the conductance, even if pulses do not: of two devices that are equal
at t0, the one that drifts faster was higher when it was verified. Hence ν = |μ + σ ξ| +
β (u/target - 1).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr

from pcmsim.calibration.drift_model import mean_decay
from pcmsim.calibration.truncated import log_density, window_law
from pcmsim.devices.laws import FloatArray


@dataclass(frozen=True)
class Window:
    """Accepted devices of one level, and what is known of reads.

    g_target, tolerance  centre and half width of the window [µS]
    x                    verify reads, from the target [µS] (n,)
    log_age              ln(t/t_v) of the later reads (r,)
    g                    later reads [µS], NaN where one is missing (n, r)
    noise                covariance C of the verify read and the later ones (r + 1, r + 1)
    instrument_variance  of one read [µS²]
    floor                reads up to this are cut off at zero [µS]
    growth               exponent h of the noise, whose standard deviation grows as u^h
    step                 of the converter, to which verify reads are rounded; 0 for none [µS]
    """

    g_target: float
    tolerance: float
    x: FloatArray
    log_age: FloatArray
    g: FloatArray
    noise: FloatArray
    instrument_variance: float
    floor: float = 0.0
    growth: float = 0.0
    step: float = 0.0


def log_likelihood(window: Window, theta: FloatArray) -> FloatArray:
    """Of each device (n,), for θ = (a [1/µS], c [1/µS²], w [µS²], μ, σ², β).

    w = E[Q² u²] is the power of the noise; -inf where no such model exists.
    """
    # A power below zero is an estimate like any other, as long as reads have a variance.
    ends = window.tolerance * np.array([-1.0, 1.0])
    verify = _true(window, theta, ends).verify
    if not (verify.min() > 0.0 and float(theta[1]) * verify.max() < 1.0):
        return np.full(window.x.size, -np.inf)
    first = log_density(window.x, window.tolerance, float(theta[0]), float(theta[1]))
    if window.g.shape[1] == 0:
        return first
    mean, covariance = later_moments(window, theta)
    return first + _censored_normal(window, mean, covariance)


def later_moments(window: Window, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean (n, r) [µS] and covariance (n, r, r) [µS²] of the later reads given the verify read."""
    law, noise = _true(window, theta, window.x), window.noise
    power, verify = law.power[:, None], law.verify[:, None]
    lost = verify - power * noise[0, 1:]
    # Of u (1 + Q n_j) given y: mean, covariance with each other, and with u.
    level = window.g_target + (window.x + law.slope * law.verify)[:, None]
    level = level - law.slope[:, None] * (verify - lost)
    spread = lost[:, :, None] + lost[:, None, :] + law.power[:, None, None] * noise[1:, 1:]
    spread = spread - verify[:, :, None] - theta[1] * lost[:, :, None] * lost[:, None, :]
    with_u = (1.0 - theta[1] * verify) * lost
    x, rise = window.log_age, theta[5] / window.g_target
    pair = x[:, None] + x
    mean = _decay(window, theta, law, x) * (level - rise * x * with_u)
    left = level[:, :, None] - rise * pair * with_u[:, :, None]
    right = level[:, None, :] - rise * pair * with_u[:, None, :]
    covariance = _decay(window, theta, law, pair) * (spread + left * right)
    covariance -= mean[:, :, None] * mean[:, None, :]
    return mean, covariance + window.instrument_variance * np.eye(x.size)


def placement(window: Window, theta: FloatArray) -> FloatArray:
    """Bias and standard deviation of the true conductance of accepted devices at verify [µS]."""
    mean, std = at_age(window, theta, 0.0)
    return np.array([mean - window.g_target, std])


def at_age(window: Window, theta: FloatArray, log_age: float) -> FloatArray:
    """Mean and standard deviation of the conductance of accepted devices at ln(t/t_v) [µS]."""
    _, y, share = window_law(window.tolerance, float(theta[0]), float(theta[1]))
    law, rise = _true(window, theta, y), theta[5] / window.g_target
    x = np.array([log_age, 2.0 * log_age])
    decay = _decay(window, theta, law, x)
    moved = law.u[:, None] - rise * x * law.variance[:, None]
    mean = float(share @ (decay[:, 0] * moved[:, 0]))
    square = float(share @ (decay[:, 1] * (moved[:, 1] ** 2 + law.variance)))
    return np.array([mean, np.sqrt(max(square - mean**2, 0.0))])


class _True(NamedTuple):
    """The true conductance given verify reads (n,), and what it follows from."""

    power: FloatArray  # of the noise, in units of C [µS²]
    verify: FloatArray  # variance of the verify read [µS²]
    slope: FloatArray  # of what a read is off by, per variance [1/µS]
    u: FloatArray  # mean [µS]
    variance: FloatArray  # [µS²]


def _true(window: Window, theta: FloatArray, x: FloatArray) -> _True:
    """Tweedie's formula; noise that grows as u^h adds the slope of its variance, 2 h / u."""
    y = np.maximum(window.g_target + x, 0.05 * window.g_target)
    power = theta[2] * (y / window.g_target) ** (2.0 * window.growth)
    of_device = power * window.noise[0, 0]
    verify = of_device + window.instrument_variance
    slope = theta[0] - theta[1] * x + 2.0 * window.growth / y * of_device / verify
    u = window.g_target + x + verify * slope
    return _True(power, verify, slope, u, verify * (1.0 - theta[1] * verify))


def _decay(window: Window, theta: FloatArray, law: _True, x: FloatArray) -> FloatArray:
    """E exp(-ν x) given the verify read (n, *x.shape), with ν = |μ + σ ξ| + β (u/target - 1)."""
    rise = theta[5] / window.g_target * x
    off, variance = (
        v.reshape(-1, *np.ones(x.ndim, int)) for v in (law.u - window.g_target, law.variance)
    )
    free = mean_decay(x, float(theta[3]), float(theta[4]))
    return np.asarray(free * np.exp(0.5 * rise**2 * variance - rise * off))


def _censored_normal(window: Window, mean: FloatArray, covariance: FloatArray) -> FloatArray:
    """Log density of the later reads; those at zero add P(read <= 0), given the others (Tobit).

    Several reads of one device at zero are taken to be independent given the others.
    """
    with np.errstate(invalid="ignore"):
        seen = window.g > window.floor
        zero = window.g <= window.floor
    off = np.where(seen, window.g - mean, 0.0)
    both = seen[:, :, None] & seen[:, None, :]
    masked = np.where(both, covariance, np.eye(mean.shape[1]))
    try:
        root = np.linalg.cholesky(masked)
    except np.linalg.LinAlgError:
        return np.full(mean.shape[0], -np.inf)
    white = np.linalg.solve(root, off[:, :, None])[:, :, 0]
    total = -np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    total -= 0.5 * (white**2).sum(axis=1) + 0.5 * np.log(2.0 * np.pi) * seen.sum(axis=1)
    at = np.flatnonzero(zero.any(axis=1))
    if at.size:
        across = np.linalg.solve(root[at], np.where(seen[at][:, :, None], covariance[at], 0.0))
        given = mean[at] + np.einsum("njk,nj->nk", across, white[at])
        left = np.diagonal(covariance[at], axis1=1, axis2=2) - (across**2).sum(axis=1)
        score = (window.floor - given) / np.sqrt(np.maximum(left, 1e-12))
        total[at] += np.where(zero[at], log_ndtr(score), 0.0).sum(axis=1)
    return np.asarray(total)
