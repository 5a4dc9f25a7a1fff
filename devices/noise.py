"""Read noise: its size, and the marginal draw at one time.

Spectrum S(f) = Q² G² f0^(γ-1) / f^γ with f0 = 1 Hz, one-sided; γ = 1 is 1/f noise.
Nandakumar et al., ICECS 2019, doi:10.1109/ICECS46596.2019.8964852. A noise level means nothing
without the band it covers: slow fluctuations count as far back as the device is old.
"""

import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.normals import standard_normal
from pcmsim.devices.params import Values


def band_variance(f_low_hz: float, f_high_hz: float, exponent: float = 1.0) -> float:
    """Variance in units of (Q G)² between two frequencies: the integral of f^-γ.

    >>> round(band_variance(1.0, 10.0), 4), round(band_variance(1.0, 10.0, 1.2), 4)
    (2.3026, 1.8452)
    """
    if exponent == 1.0:
        return float(np.log(f_high_hz / f_low_hz))
    power = 1.0 - exponent
    return float((f_high_hz**power - f_low_hz**power) / power)


def relative_std(values: Values, age: float) -> float:
    """Standard deviation of a read in units of Q G, for a device of age `age` [s].

    √ln((age + t_r) / 2 t_r) for γ = 1: the band from 1/(age + t_r) to 1/(2 t_r), where t_r is the
    integration time of the read. Zero for a device younger than one read.
    """
    low, high = 1.0 / (age + values.t_read_s), 0.5 / values.t_read_s
    return float(np.sqrt(max(band_variance(low, high, values.read_noise_exponent), 0.0)))


def noise_amplitude(values: Values, g: FloatArray) -> FloatArray:
    """Relative amplitude Q of a device whose conductance at t0 is `g` [µS]."""
    return (values.projection * values.read_noise(g / values.g_max)).astype(g.dtype)


def marginal_read(
    values: Values, g: FloatArray, q: FloatArray, age: float, rng: np.random.Generator
) -> FloatArray:
    """One read of every device at the age `age` [s]: max(0, G (1 + Q σ ξ)) [µS].

    `g` is the drifted conductance [µS], `q` the amplitude Q; ξ ~ N(0, 1) is new for each device.
    This is the right ensemble at one time. Two such reads share nothing: for reads that remember
    each other see `pcmsim.devices.fluctuation`.
    """
    xi = standard_normal(rng, g.shape, g.dtype)
    xi *= q
    xi *= g.dtype.type(relative_std(values, age))
    xi += 1
    xi *= g
    return np.maximum(xi, 0, out=xi)
