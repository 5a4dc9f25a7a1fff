"""The same moments where conductances and reads reach zero: RESET and the lowest levels.

There the noise amplitude Q differs so much between the devices of a level, and reads of the
noisiest are cut off so often, that one Q for all does not do. The moments of
`pcmsim.calibration.drift_model` are averaged over the conductance at t0, log-normal after RESET and
max(0, G_T + b + s ξ) otherwise, with Q(g0) in proportion to a given law.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.clipped import clipped_mean, clipped_product
from pcmsim.calibration.drift_model import LevelModel, mean_decay
from pcmsim.devices.laws import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_FARTHEST = 6.0  # standard deviations of the conductance


def placed(location: float, spread: float, reset: bool) -> tuple[FloatArray, FloatArray]:
    """Conductances [µS] and weights that stand for the devices of a level.

    `reset`: log-normal, `location` the median and `spread` the variance of ln G. Otherwise
    max(0, location + sqrt(spread) ξ); the devices at zero have what is missing of the weights.
    """
    std = np.sqrt(max(spread, 1e-12))
    lowest = -_FARTHEST if reset else max(-_FARTHEST, -location / std)
    half = 0.5 * (_FARTHEST - lowest)
    z = lowest + half * (1.0 + _NODES)
    weights = half * _WEIGHTS * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return (location * np.exp(std * z) if reset else location + std * z), weights


@dataclass(frozen=True)
class LowLevelModel:
    """Moments of the reads of a low level, a function of (location, spread, w, μ, σ²).

    plain           times, noise and instrument, as for other levels
    amplitude       law of Q against the conductance [µS], up to a factor, which w = E[Q² g0²] sets
    reset           whether the level is RESET
    """

    plain: LevelModel
    amplitude: Callable[[FloatArray], FloatArray]
    reset: bool

    @property
    def log_age(self) -> FloatArray:
        """ln(t/t0) of each read (k,)."""
        return self.plain.log_age

    def __call__(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean (k,) [µS] and covariance (k, k) [µS²]."""
        location, spread, power, nu_mean, nu_variance = (float(x) for x in theta)
        g, weights = placed(location, spread, self.reset)
        q = self.amplitude(g)
        unit = float(np.sum(weights * (g * q) ** 2))
        if not (power > 0.0 and unit > 0.0 and location > 0.0):
            invalid = np.full((self.log_age.size, self.log_age.size), np.nan)
            return invalid[0], invalid
        q = q * np.sqrt(power / unit)
        first, second = self._averages(g, weights, q)
        x = self.log_age
        mean = first * mean_decay(x, nu_mean, nu_variance)
        second = second * mean_decay(x[:, None] + x, nu_mean, nu_variance)
        second += self.plain.instrument_variance * np.eye(x.size)
        return mean, second - np.outer(mean, mean)

    def _averages(
        self, g: FloatArray, weights: FloatArray, q: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """E[g0 c_j] (k,) and E[g0² c_jk] (k, k)."""
        noise = np.sqrt(np.diag(self.plain.noise))
        correlation = self.plain.noise / np.outer(noise, noise)
        std = q[:, None] * noise
        first = (weights * g) @ clipped_mean(np.ones_like(std), std)
        square, zero = weights * g**2, std.max(axis=1) > 0.2
        second = square[~zero].sum() + (square * q**2)[~zero].sum() * self.plain.noise
        for weight, row in zip(square[zero], std[zero], strict=True):
            second += weight * clipped_product(row, correlation)
        return first, second

    def scale(self, theta: FloatArray) -> FloatArray:
        """Typical sizes of the parameters, for numerical derivatives."""
        location, spread = abs(float(theta[0])), abs(float(theta[1]))
        return np.array([location, 0.1 * spread, 0.1 * abs(float(theta[2])), 0.05, 1e-3])
