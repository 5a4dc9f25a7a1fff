"""A 1/f spectrum as a sum of modes whose rates are spaced evenly in ln λ.

σ_k² = Q² (2π f0)^(γ-1) sin(π(2-γ)/2) λ_k^(1-γ) Δln λ, each with autocovariance σ_k² exp(-λ_k τ);
the sum has the spectrum Q² f0^(γ-1) / f^γ, f0 = 1 Hz, within 0.3 % inside the band (superposition
of relaxations: van der Ziel, Physica 16, 359, 1950). Everything here is in units of Q.
"""

from dataclasses import dataclass
from typing import overload

import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values

MODES_PER_DECADE = 3
# With this factor on the fastest rate the accumulated variance of the modes, which is
# Q² (ln λ_max t + 0.5772), equals the published Q² ln(t / 2 t_r) for t much longer than a read.
_EULER_GAMMA = 0.5772156649015329


@dataclass(frozen=True)
class Modes:
    """Rates [1/s] and standard deviations, in units of Q, of the modes of the noise."""

    rates_per_s: FloatArray
    stds: FloatArray

    @overload
    def accumulated_variance(self, age: float) -> float: ...
    @overload
    def accumulated_variance(self, age: FloatArray) -> FloatArray: ...
    def accumulated_variance(self, age: float | FloatArray) -> float | FloatArray:
        """Variance that modes started at zero have after `age` [s]: Σ σ_k² (1 - exp(-λ_k age)).

        One number, or an array with one age for each device.
        """
        if not isinstance(age, np.ndarray):
            return float(np.sum(self.stds**2 * -np.expm1(-self.rates_per_s * age)))
        total = np.zeros(age.shape)
        for rate, std in zip(self.rates_per_s, self.stds, strict=True):
            total -= std**2 * np.expm1(-rate * age)
        return total


def modes(rate_min: float, rate_max: float, exponent: float = 1.0) -> Modes:
    """Modes that cover the band of rates from `rate_min` to `rate_max` [1/s].

    Each sits in the middle, in ln λ, of an equal share of the band.

    >>> band = modes(1e-3, 1e3)
    >>> len(band.rates_per_s), float((band.stds**2).sum().round(4))
    (18, 13.8155)
    """
    n = int(np.ceil(MODES_PER_DECADE * np.log10(rate_max / rate_min) - 1e-9))
    step = np.log(rate_max / rate_min) / n
    rates = rate_min * np.exp(step * (np.arange(n) + 0.5))
    variances = _density(exponent) * rates ** (1.0 - exponent) * step
    return Modes(rates, np.sqrt(variances))


def slow_modes(values: Values) -> Modes:
    """The modes of a parameter set that persist from read to read."""
    return modes(values.noise_rate_min, values.noise_rate_split, values.read_noise_exponent)


def fast_std(values: Values) -> float:
    """Standard deviation, in units of Q G, of what is new in every read of a parameter set."""
    gamma, split = values.read_noise_exponent, values.noise_rate_split
    return float(np.sqrt(fast_variance(gamma, values.t_read_s, split)))


def fast_variance(exponent: float, t_read_s: float, rate_split: float) -> float:
    """Variance, in units of Q² G², of what is new in every read of `t_read_s` [s].

    All rates above `rate_split` [1/s], up to the fastest that such a read resolves:
    ∫ (2π f0)^(γ-1) sin(π(2-γ)/2) λ^-γ dλ, with γ = 1: ln(λ_max / λ_split).

    >>> round(fast_variance(1.0, 2.5e-7, 100.0), 4)
    9.3263
    """
    fastest = np.exp(-_EULER_GAMMA) / (2.0 * t_read_s)
    if exponent == 1.0:
        return float(max(np.log(fastest / rate_split), 0.0))
    power = 1.0 - exponent
    band = (fastest**power - rate_split**power) / power
    return float(max(_density(exponent) * band, 0.0))


def _density(exponent: float) -> float:
    return float((2 * np.pi) ** (exponent - 1.0) * np.sin(np.pi * (2.0 - exponent) / 2.0))
