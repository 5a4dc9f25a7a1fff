"""1/f read noise that remembers: the same device read twice in a second agrees with itself.

The noise of a device is a sum of modes whose rates are spaced evenly in ln λ, three per decade or
closer. The amplitude of a mode is Gaussian and is renewed at random instants, a Poisson process
of rate λ, as if a trap had captured or released its charge. Its autocovariance is therefore

    <n_k(t) n_k(t+τ)> = σ_k² exp(-λ_k τ),   σ_k² = Q² (2π f0)^(γ-1) sin(π(2-γ)/2) λ_k^(1-γ) Δln λ,

that of an Ornstein-Uhlenbeck mode, and the sum has the spectrum Q² f0^(γ-1) / f^γ within 0.3 %
inside the band (superposition of relaxations: van der Ziel, Physica 16, 359, 1950).

Instants and amplitudes are hashes of (key, device, mode, interval of time) and not draws from a
sequence, so the noise is a function of time: no state is kept, and what a device shows at noon
does not depend on who looked at it in the morning. Programming defines the conductance by a
verify read, so every mode counts as zero until its first renewal after programming.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.devices.kernels import renewal_sum
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.noise import band_variance
from pcmsim.devices.params import Values

MODES_PER_DECADE = 3
# With this factor on the fastest rate the accumulated variance of the modes, which is
# Q² (ln λ_max t + 0.5772), equals the marginal Q² ln(t / 2 t_r) for t much longer than a read.
_EULER_GAMMA = 0.5772156649015329


@dataclass(frozen=True)
class Modes:
    """Rates [1/s] and standard deviations, in units of Q, of the modes of the noise."""

    rates_per_s: FloatArray
    stds: FloatArray


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
    """Standard deviation, in units of Q G, of what is new in every read.

    All modes faster than `noise_rate_split`, up to the fastest that a read of t_r resolves.
    """
    fastest = np.exp(-_EULER_GAMMA) / (2.0 * values.t_read_s)
    exponent = values.read_noise_exponent
    variance = _density(exponent) * band_variance(values.noise_rate_split, fastest, exponent)
    return float(np.sqrt(max(variance, 0.0)))


def fluctuation(
    band: Modes, shape: tuple[int, ...], key: int, now_s: float, programmed_at_s: float | None
) -> FloatArray:
    """Relative fluctuation of each device at the clock time `now_s` [s], in units of Q.

    `key` names the array (see `pcmsim.rng.key`); device i of the flattened `shape` has its own
    history. With `programmed_at_s` the fluctuation counts from there; None gives the stationary
    process. Returns float32 of the given shape.

    >>> band = modes(1e-6, 1e2)
    >>> a, b = (fluctuation(band, (3,), 7, t, 0.0) for t in (1000.0, 1000.0))
    >>> bool((a == b).all())
    True
    """
    out = np.empty(shape, dtype=np.float32)
    since = -np.inf if programmed_at_s is None else float(programmed_at_s)
    renewal_sum(np.uint64(key), band.rates_per_s, band.stds, float(now_s), since, out.reshape(-1))
    return out


def _density(exponent: float) -> float:
    return float((2 * np.pi) ** (exponent - 1.0) * np.sin(np.pi * (2.0 - exponent) / 2.0))
