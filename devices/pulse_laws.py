"""Laws of single pulses that parameter sets are written in: SET increments, the melting branch.

Like the laws of the conductance these are frozen values without numbers of their own.
"""

from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from pcmsim.devices.laws import FloatArray, Number

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_Positive = Annotated[float, Field(gt=0.0, le=1e12, strict=True)]
_NotNegative = Annotated[float, Field(ge=0.0, le=1e12, strict=True)]


@checked(frozen=True, config=_STRICT)
class Accumulation:
    """Increments that fall with the conductance and with the pulses since RESET.

    μ = m1 G + c1 + A1 P and σ = m2 G + c2 + A2 P [µS], with P = exp(-p/α) at the p-th pulse;
    without the A terms the linear, memoryless form. Nandakumar et al. 2018, doi:10.1063/1.5042408.
    """

    mean_slope: Number
    mean_offset: Number
    mean_memory: Number
    std_slope: Number
    std_offset: Number
    std_memory: Number
    memory_pulses: _Positive

    def __call__(self, g: FloatArray, pulse: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation [µS] of the increment by SET pulse number `pulse` from 1."""
        memory = np.exp(-np.asarray(pulse) / self.memory_pulses).astype(g.dtype)
        mean = self.mean_slope * g + self.mean_offset + self.mean_memory * memory
        std = self.std_slope * g + self.std_offset + self.std_memory * memory
        return mean, std

    def coefficients(self) -> tuple[float, ...]:
        """Both laws are μ = m1 G + c1 + A1 P + b e^(-k G), σ = m2 G + c2 + A2 P + s μ.

        In the order (m1, c1, A1, b, k, m2, c2, A2, s, α), for compiled loops.
        """
        mean = (self.mean_slope, self.mean_offset, self.mean_memory, 0.0, 0.0)
        return (*mean, self.std_slope, self.std_offset, self.std_memory, 0.0, self.memory_pulses)


@checked(frozen=True, config=_STRICT)
class Saturation:
    """Increments that fall exponentially with the conductance and remember no pulses.

    μ = a + b exp(-k G) and σ = s μ + c + m G [µS]; the form of IBM aihwkit's ExpStep device.
    """

    mean_floor: Number
    mean_gain: Number
    mean_rate_per_us: Number
    std_factor: Number
    std_offset: Number
    std_slope: Number

    def __call__(self, g: FloatArray, pulse: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation [µS] of the increment by any SET pulse."""
        mean = self.mean_floor + self.mean_gain * np.exp(-self.mean_rate_per_us * g)
        return mean, self.std_factor * mean + self.std_offset + self.std_slope * g

    def coefficients(self) -> tuple[float, ...]:
        """As those of `Accumulation`, without memory."""
        mean = (0.0, self.mean_floor, 0.0, self.mean_gain, self.mean_rate_per_us)
        return (*mean, self.std_slope, self.std_offset, 0.0, self.std_factor, 1.0)


SetPulse = Accumulation | Saturation


@checked(frozen=True, config=_STRICT)
class MeltCurve:
    """Conductance that a melting pulse leaves behind: the falling branch of the U-shaped curve.

    f(I) = top g_max / (1 + exp((I - I_half - δ) / w)), δ of each device ~ N(0, device_std);
    a pulse leaves f exp(cycle_std ξ) + noise_std ξ'.
    """

    top: Annotated[float, Field(gt=1.0, le=1e6, strict=True)]  # in units of g_max
    half_current_ua: _Positive
    width_ua: _Positive
    device_std_ua: _NotNegative
    cycle_std: _NotNegative
    noise_std_us: _NotNegative
    min_current_ua: _Positive
    max_current_ua: _Positive

    def __post_init__(self) -> None:
        if not self.min_current_ua < self.max_current_ua:
            raise ValueError("min_current_ua must be below max_current_ua")
