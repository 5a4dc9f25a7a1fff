"""Read noise as other fits need it: how much there is, and how reads of one device share it.

The noise of a read is Q(G) G n with n in units of Q: slow modes that persist from read to read and
count from the last pulse, and fast ones that are new in every read (`pcmsim.devices.modes`).
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.devices.laws import FloatArray, Law
from pcmsim.devices.modes import Modes, fast_variance, modes

# Slowest rate of all noise, slower than any campaign, and the rate above which noise is new in
# every read [1/s]: the conventions of the parameter sets.
RATE_MIN, RATE_SPLIT = 1e-8, 100.0


def rate_split(t_read_s: float) -> float:
    """Rate above which noise is new in every read of `t_read_s` [s]; half a read at most [1/s].

    >>> rate_split(2.5e-7), rate_split(0.05)
    (100.0, 10.0)
    """
    return min(RATE_SPLIT, 0.5 / t_read_s)


@dataclass(frozen=True)
class NoiseModel:
    """Amplitude law and spectrum of the read noise.

    amplitude       Q against g = G/g_max; the law of a parameter set
    g_max           conductance of g = 1 [µS]
    exponent        γ of the spectrum Q² G² f0^(γ-1) / f^γ
    t_read_s        integration time of a read [s]
    """

    amplitude: Law
    g_max: float
    exponent: float = 1.0
    t_read_s: float = 2.5e-7

    def q(self, g: FloatArray) -> FloatArray:
        """Relative amplitude Q of a device of conductance `g` [µS] at t0."""
        return np.asarray(self.amplitude(np.asarray(g, dtype=np.float64) / self.g_max))

    def covariance(self, t_s: FloatArray) -> FloatArray:
        """Covariance of n between reads at the times `t_s` since the last pulse [s] (k, k)."""
        return spectrum_covariance(t_s, self.exponent, self.t_read_s)

    def variance(self, t_s: FloatArray) -> FloatArray:
        """Variance of n at the times `t_s` since the last pulse [s]."""
        t_s = np.asarray(t_s, dtype=np.float64)
        slow = slow_band(self.exponent, self.t_read_s).accumulated_variance(t_s)
        return slow + fast_variance(self.exponent, self.t_read_s, rate_split(self.t_read_s))


def slow_band(exponent: float, t_read_s: float) -> Modes:
    """Modes of the noise that persist from read to read."""
    return modes(RATE_MIN, rate_split(t_read_s), exponent)


def spectrum_covariance(t_s: FloatArray, exponent: float, t_read_s: float) -> FloatArray:
    """Covariance of the noise in units of Q between reads at `t_s` since the last pulse [s] (k, k).

    C_jk = Σ σ² (1 - exp(-λ min(t_j, t_k))) exp(-λ |t_j - t_k|), and on the diagonal what is new in
    every read.

    >>> c = spectrum_covariance(np.array([20.0, 2000.0]), 1.0, 2.5e-7)
    >>> bool(c[0, 1] < c[0, 0] < c[1, 1])
    True
    """
    t_s = np.asarray(t_s, dtype=np.float64)
    slow = slow_band(exponent, t_read_s)
    first = np.minimum(t_s[:, None], t_s[None, :])
    apart = np.abs(t_s[:, None] - t_s[None, :])
    total = np.zeros((t_s.size, t_s.size))
    for rate, std in zip(slow.rates_per_s, slow.stds, strict=True):
        total -= std**2 * np.expm1(-rate * first) * np.exp(-rate * apart)
    return total + fast_variance(exponent, t_read_s, rate_split(t_read_s)) * np.eye(t_s.size)
