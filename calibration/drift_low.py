"""The moments of a level where conductances and reads reach zero: RESET and the lowest targets.

There the noise amplitude Q differs so much between the devices of a level, and reads of the
noisiest are cut off so often, that one Q for all does not do. The moments of
`pcmsim.calibration.drift_model` are averaged over the conductance at t0, log-normal after RESET and
max(0, location + s ξ) otherwise, with Q(g0) in proportion to a given law.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from pcmsim.calibration.clipped import clipped_mean, clipped_product
from pcmsim.calibration.drift_model import LevelModel, mean_decay
from pcmsim.devices.laws import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_FARTHEST = 6.0  # standard deviations of the conductance
# No published law has devices as noisy as this; they would read zero half of the time.
_LARGEST_Q = 0.6
_CELLS = 30


def placed(location: float, spread: float, reset: bool) -> tuple[FloatArray, FloatArray]:
    """Conductances [µS] and weights that stand for the devices of a level.

    `reset`: log-normal, `location` the median and `spread` the variance of ln G. Otherwise
    max(0, location + sqrt(spread) ξ); devices at zero have what is missing of the weights.

    >>> g, weights = placed(0.1, 0.25, reset=True)
    >>> float((weights * g).sum().round(4))  # 0.1 exp(0.25 / 2)
    0.1133
    """
    std = np.sqrt(max(spread, 1e-12))
    lowest = -_FARTHEST if reset else max(-_FARTHEST, -location / std)
    half = 0.5 * (_FARTHEST - lowest)
    z = lowest + half * (1.0 + _NODES)
    weights = half * _WEIGHTS * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return (location * np.exp(std * z) if reset else location + std * z), weights


class CutNoise:
    """Moments of max(0, 1 + Q n) against Q, for noise n of the covariance C (k, k).

    Tabulated once and interpolated, because a fit asks for them at every conductance of every step.
    """

    def __init__(self, noise: FloatArray) -> None:
        std = np.sqrt(np.diag(noise))
        correlation = noise / np.outer(std, std)
        # The first product is analytic: nothing is cut off.
        q = np.linspace(0.05, _LARGEST_Q, _CELLS)
        firsts = [clipped_mean(np.ones_like(std), x * std) for x in q]
        seconds = [clipped_product(x * std, correlation) for x in q]
        self._noise = noise
        self._first = CubicSpline(q, firsts)
        self._second = CubicSpline(q, seconds)

    def averaged(
        self, q: FloatArray, once: FloatArray, twice: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Σ once E[max(0, 1 + Q n_j)] (k,) and Σ twice E[product of j and k] (k, k), over Q."""
        quiet = q < 0.05
        q = np.minimum(q, _LARGEST_Q)
        first = once[quiet].sum() + once[~quiet] @ self._first(q[~quiet])
        second = twice[quiet].sum() + (twice * q**2)[quiet].sum() * self._noise
        second = second + np.tensordot(twice[~quiet], self._second(q[~quiet]), axes=1)
        return np.asarray(first), np.asarray(second)


@dataclass(frozen=True)
class LowLevelModel:
    """Moments of the reads of a low level, a function of (location, spread, w, μ, σ²).

    plain           times, noise and instrument, as for other levels
    cut             moments of the noise that is cut off at zero
    amplitude       law of Q against the conductance [µS], up to a factor, which w = E[Q² g0²] sets
    reset           whether the level is RESET
    """

    plain: LevelModel
    cut: CutNoise
    amplitude: Callable[[FloatArray], FloatArray]
    reset: bool

    @property
    def log_age(self) -> FloatArray:
        """ln(t/t0) of each read (k,)."""
        return self.plain.log_age

    def __call__(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean (k,) [µS] and covariance (k, k) [µS²]."""
        location, spread, power, nu_mean, nu_variance = (float(x) for x in theta)
        x = self.log_age
        if not (power > 0.0 and location > 0.0 and spread > 0.0):
            return np.full(x.size, np.nan), np.full((x.size, x.size), np.nan)
        g, weights = placed(location, spread, self.reset)
        q = self.amplitude(g)
        q = q * np.sqrt(power / np.sum(weights * (g * q) ** 2))
        first, second = self.cut.averaged(q, weights * g, weights * g**2)
        mean = first * mean_decay(x, nu_mean, nu_variance)
        second = second * mean_decay(x[:, None] + x, nu_mean, nu_variance)
        second += self.plain.instrument_variance * np.eye(x.size)
        return mean, second - np.outer(mean, mean)

    def power(self, location: float, spread: float) -> float:
        """Noise power E[Q² g0²] [µS²] of such devices if `amplitude` is Q itself."""
        g, weights = placed(location, spread, self.reset)
        return float(np.sum(weights * (g * self.amplitude(g)) ** 2))

    def scale(self, theta: FloatArray) -> FloatArray:
        """Typical sizes of the parameters, for numerical derivatives."""
        location, spread = abs(float(theta[0])), abs(float(theta[1]))
        return np.array([location, 0.1 * spread, 0.1 * abs(float(theta[2])), 0.05, 1e-3])

    def start(self, theta: FloatArray) -> FloatArray:
        """First guess from the estimate of the plain model."""
        start = np.array(theta, dtype=np.float64)
        if self.reset:
            start[1] = np.log1p(max(theta[1], 1e-6) / theta[0] ** 2)
            start[0] = theta[0] * np.exp(-0.5 * start[1])
        return np.maximum(start, 1e-6)
