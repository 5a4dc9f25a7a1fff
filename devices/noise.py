"""Read noise: its size, and the marginal draw at one time.

Spectrum S(f) = Q² G² f0^(γ-1) / f^γ with f0 = 1 Hz, one-sided; γ = 1 is 1/f noise.
Nandakumar et al., ICECS 2019, doi:10.1109/ICECS46596.2019.8964852. A noise level means nothing
without the band it covers: slow fluctuations count as far back as the device is old.
"""

from typing import overload

import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.modes import fast_std, slow_modes
from pcmsim.devices.normals import standard_normal
from pcmsim.devices.params import Values


@overload
def relative_std(values: Values, age: float) -> float: ...
@overload
def relative_std(values: Values, age: FloatArray) -> FloatArray: ...
def relative_std(values: Values, age: float | FloatArray) -> float | FloatArray:
    """Standard deviation of a read in units of Q G, for a device of age `age` [s].

    For γ = 1 the published √ln((age + t_r) / 2 t_r): the band from 1/(age + t_r) to 1/(2 t_r),
    where t_r is the integration time of the read. For other γ the variance that the modes of the
    spectrum, fast ones included, have accumulated by then. One age, or an array of them.
    """
    if values.read_noise_exponent == 1.0:
        variance = np.log((age + values.t_read_s) / (2.0 * values.t_read_s))
        std = np.sqrt(np.maximum(variance, 0.0))  # nothing for what is younger than a read
    else:
        std = np.sqrt(slow_modes(values).accumulated_variance(age) + fast_std(values) ** 2)
    return np.asarray(std) if isinstance(age, np.ndarray) else float(std)


def noise_amplitude(values: Values, g: FloatArray) -> FloatArray:
    """Relative amplitude Q of a device whose conductance at t0 is `g` [µS]."""
    return (values.projection * values.read_noise(g / values.g_max)).astype(g.dtype)


def marginal_read(
    values: Values,
    g: FloatArray,
    q: FloatArray,
    age: float | FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """One read of every device at the age `age` [s]: max(0, G (1 + Q σ ξ)) [µS].

    `g` is the drifted conductance [µS], `q` the amplitude Q; ξ ~ N(0, 1) is new for each device.
    `age` is one number, or one for each device. This is the right ensemble at one time. Two such
    reads share nothing: for reads that remember each other see `pcmsim.devices.fluctuation`.
    """
    xi = standard_normal(rng, g.shape, g.dtype)
    xi *= q
    xi *= np.asarray(relative_std(values, age)).astype(g.dtype)
    xi += 1
    xi *= g
    return np.maximum(xi, 0, out=xi)
