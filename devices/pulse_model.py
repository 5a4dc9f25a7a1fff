"""The numbers of single pulses, which a parameter set may lack as a whole."""

from dataclasses import dataclass, fields

from pcmsim.devices.params import PULSE_ENTRIES, Values
from pcmsim.devices.pulse_laws import MeltCurve, SetPulse
from pcmsim.errors import UsageError


@dataclass(frozen=True)
class PulseModel:
    """What `Values` says of pulses, all of it present; see there for meanings and units."""

    set_pulse: SetPulse
    set_g_min: float
    set_g_max: float
    set_device_std: float
    set_nu_mean: float
    set_nu_std: float
    rejuvenation: float
    melt_curve: MeltCurve
    wear_shape: float
    wear_scale: float


def pulse_model(values: Values) -> PulseModel:
    """The pulse model of a set. Raises `UsageError` if it has none.

    >>> from pcmsim.devices import load_parameter_set
    >>> pulse_model(load_parameter_set("pcm-gst-90nm").values).set_g_max
    20.0
    """
    if values.relaxation is not None:
        raise UsageError(
            "devices of this parameter set relax, and pulses need a drift law: leave pulses out "
            "(in the plan of a campaign staircase, set_drift, curve and levels: null)"
        )
    if values.set_pulse is None:
        raise UsageError(
            f"this parameter set has no pulse model; add {', '.join(PULSE_ENTRIES)} "
            f"(pcm-gst-90nm shows them)"
        )
    return PulseModel(**{field.name: getattr(values, field.name) for field in fields(PulseModel)})
