"""How devices depend on temperature, as parameter sets are written."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from pcmsim.devices.laws import FloatArray, Law
from pcmsim.units import ZERO_CELSIUS_K

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_Positive = Annotated[float, Field(gt=0.0, le=1e12, strict=True)]
_Celsius = Annotated[float, Field(gt=-273.15, le=1000.0, strict=True)]


@checked(frozen=True, config=_STRICT)
class TemperatureLaw:
    """Activation of the read-out and of relaxation.

    activation_ev         activation energy E_a [eV] of the conductance against G / g_of_fit
    g_of_fit              scale of that law [µS]
    reference_c           temperature at which all other numbers of the set hold [°C]
    lowest_c, highest_c   range in which the laws are taken to hold [°C]
    attempt_s             attempt time τ of relaxation [s]
    """

    activation_ev: Law
    g_of_fit: _Positive
    reference_c: _Celsius
    lowest_c: _Celsius
    highest_c: _Celsius
    attempt_s: _Positive

    def __post_init__(self) -> None:
        if not self.lowest_c <= self.reference_c <= self.highest_c:
            raise ValueError("lowest_c <= reference_c <= highest_c is needed")

    def energy_ev(self, g: FloatArray) -> FloatArray:
        """Activation energy [eV] of devices whose conductance at t0 is `g` [µS]."""
        return self.activation_ev(g / self.g_of_fit)

    def cold(self, temperature_c: float) -> float:
        """T_ref / T at `temperature_c` [°C]: what the barrier of drift weighs at a read there."""
        return (self.reference_c + ZERO_CELSIUS_K) / (temperature_c + ZERO_CELSIUS_K)
