"""Mean and covariance of the reads of one level as its devices age.

A device of conductance g0 at t0, exponent ν and noise amplitude Q reads
y_j = g0 (t_j / t0)^-ν max(0, 1 + Q n_j) with <n_j n_k> = C_jk. Over the devices of a level

    E y_j     = m L(x_j) c_j,
    E y_j y_k = (m² + v) L(x_j + x_k) c_jk + δ_jk σ_instrument²,

where x = ln(t/t0), L(x) = E exp(-ν x) for ν = |μ + σ ξ|, m and v are mean and variance of g0, and
c holds the moments of max(0, 1 + Q n): 1 and 1 + Q² C_jk unless reads reach zero. Q² stands for
w / (m² + v) with w = E[Q² g0²]. In linear space nothing has to be small, and no logarithm is taken
of a noisy read.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from pcmsim.calibration.clipped import clipped_mean, clipped_product
from pcmsim.calibration.pairwise import Pairwise
from pcmsim.devices.laws import FloatArray


def mean_decay(x: FloatArray, nu_mean: float, nu_variance: float) -> FloatArray:
    """L(x) = E exp(-ν x) with ν = |μ + σ ξ|, ξ ~ N(0, 1): the folded normal's Laplace transform.

    exp(-μx + σ²x²/2) Φ(μ/σ - σx) + exp(μx + σ²x²/2) Φ(-μ/σ - σx). A variance that is not positive,
    as an estimate may be, continues the unfolded form exp(-μx + σ²x²/2).

    >>> float(mean_decay(np.array(np.log(180.0)), 0.04935, 0.01422**2).round(4))  # 5 µS, 1 h
    0.776
    """
    exponent = 0.5 * nu_variance * x**2
    if nu_variance <= 0.0 or nu_mean > 8.0 * np.sqrt(nu_variance):
        return np.asarray(np.exp(exponent - nu_mean * x))
    std = np.sqrt(nu_variance)
    right = exponent - nu_mean * x + log_ndtr(nu_mean / std - std * x)
    left = exponent + nu_mean * x + log_ndtr(-nu_mean / std - std * x)
    return np.asarray(np.exp(right) + np.exp(left))


@dataclass(frozen=True)
class LevelModel:
    """Moments of the reads of a level, a function of (m, v, w, μ, σ²).

    log_age             x = ln(t/t0) of each read (k,)
    noise               covariance C of the noise in units of Q (k, k)
    instrument_variance variance that the instrument adds to a read [µS²]
    """

    log_age: FloatArray
    noise: FloatArray
    instrument_variance: float

    def __call__(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean (k,) [µS] and covariance (k, k) [µS²] for θ = (m, v, w, μ, σ²)."""
        m, v, w, nu_mean, nu_variance = (float(x) for x in theta)
        x = self.log_age
        power = m**2 + v
        once, pair = self._noise_factors(w / power)
        mean = m * mean_decay(x, nu_mean, nu_variance) * once
        second = power * mean_decay(x[:, None] + x, nu_mean, nu_variance) * pair
        second += self.instrument_variance * np.eye(x.size)
        return mean, second - np.outer(mean, mean)

    def _noise_factors(self, q_square: float) -> tuple[FloatArray, FloatArray]:
        variance = q_square * np.diag(self.noise)
        # Reads at five standard deviations and more do not reach zero.
        if variance.max() < 0.04:
            return np.ones_like(variance), 1.0 + q_square * self.noise
        std = np.sqrt(variance)
        correlation = self.noise * q_square / np.outer(std, std)
        return clipped_mean(np.ones_like(std), std), clipped_product(std, correlation)

    def start(self, sums: Pairwise) -> FloatArray:
        """First guess: a straight line through ln E y, and one through the relative covariances."""
        x, mean = self.log_age, np.maximum(sums.mean, 1e-9)
        slope, intercept = np.polyfit(x, np.log(mean), 1)
        m = float(np.exp(intercept))
        relative = sums.covariance / np.outer(mean, mean)
        terms = [np.ones_like(relative), np.outer(x, x), self.noise, np.diag(mean**-2.0)]
        upper = np.triu_indices(x.size)
        columns = np.array([term[upper] for term in terms[:3]]).T
        target = (relative - self.instrument_variance * terms[3])[upper]
        (v, nu_variance, q_square), *_ = np.linalg.lstsq(columns, target, rcond=None)
        floor = 1e-4
        return np.array(
            [
                m,
                max(float(v), floor) * m**2,
                max(float(q_square), floor) * m**2,
                -float(slope),
                max(float(nu_variance), floor * 0.01),
            ]
        )

    def scale(self, theta: FloatArray) -> FloatArray:
        """Typical sizes of the parameters, for numerical derivatives."""
        m = abs(float(theta[0]))
        return np.array([m, m**2 * 0.01, m**2 * 1e-3, 0.05, 1e-3])
