"""Devices at another temperature than that of their parameter set.

Two effects, of which the first is gone when the temperature comes back and the second stays:

read-out     G(T) = G(T_ref) exp[-(E_a/k)(1/T - 1/T_ref)]: a semiconductor conducts better when warm
relaxation   drift takes the effective age θ at T_ref (`pcmsim.devices.ambient`) for the age

Drift is the growth of the barrier of conduction, E_a = E_a0 + k T_ref ν ln(θ/t0), so that together

    G = G(t0) exp[-(E_a0/k)(1/T - 1/T_ref)] (θ/t0)^(-ν T_ref/T)

and at a constant temperature the exponent is ν whatever the temperature is, for ln θ grows as
T/T_ref times ln t. Collective relaxation: Le Gallo et al., doi:10.1002/aelm.201700627.

Coefficients live in the entry `temperature` of parameter sets. Programming is described at the
reference temperature, and so is the clock of the read noise.
"""

import math

import numpy as np

from pcmsim.devices.ambient import Ambient
from pcmsim.devices.drift import age_s, check_elapsed
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values
from pcmsim.devices.state import ArrayState
from pcmsim.devices.temperature_law import TemperatureLaw
from pcmsim.errors import UsageError
from pcmsim.units import BOLTZMANN_EV_PER_K, ZERO_CELSIUS_K

# The temperature of a set that says nothing of temperature [°C].
ROOM_C = 25.0


def reference_c(values: Values) -> float:
    """Temperature [°C] at which the numbers of the set hold."""
    return ROOM_C if values.temperature is None else values.temperature.reference_c


def temperature_law(values: Values, ambient: Ambient) -> TemperatureLaw | None:
    """The law by which `ambient` acts on devices; None if it is the reference temperature only.

    Raises `UsageError` if the set has no such law, or for temperatures outside of its range.
    """
    law = values.temperature
    if ambient.only(reference_c(values)):
        return None
    span = f"{ambient.lowest_c:g} ... {ambient.highest_c:g} °C"
    if values.relaxation is not None:
        raise UsageError(
            f"temperature {span}: how cells with a relaxation law depend on it is not known; leave "
            f"the temperature at {reference_c(values):g} °C"
        )
    if law is None:
        raise UsageError(
            f"temperature {span}: this parameter set holds at {ROOM_C:g} °C only; add an entry "
            f"`temperature` to it (pcm-gst-90nm shows one) or choose another set"
        )
    if ambient.highest_c > law.highest_c:
        raise UsageError(
            f"temperature reaches {ambient.highest_c:g} °C; this parameter set holds up to "
            f"{law.highest_c:g} °C, for at higher temperatures crystallisation sets in"
        )
    if ambient.lowest_c < law.lowest_c:
        raise UsageError(
            f"temperature falls to {ambient.lowest_c:g} °C; this parameter set holds from "
            f"{law.lowest_c:g} °C on, for at lower temperatures conduction follows other laws"
        )
    return law


def thermal(values: Values, state: ArrayState, ambient: Ambient | None) -> TemperatureLaw | None:
    """The law by which `ambient` acts on the devices of `state`; None if it does nothing.

    Raises `UsageError` as `temperature_law`, and for devices of which a SET pulse left a part with
    its clock: their parts have ages of their own, which no profile is followed for.
    """
    law = None if ambient is None else temperature_law(values, ambient)
    if law is not None and state.kept is not None:
        raise UsageError(
            f"SET pulses left these devices a part with its old clock (rejuvenation = "
            f"{values.rejuvenation:g}), which holds at {law.reference_c:g} °C only; write "
            f"rejuvenation = 1.0 or leave the temperature there"
        )
    return law


def check_at_reference(values: Values, ambient: Ambient | None, now_s: float) -> None:
    """Refuse a closed programming loop at `now_s` [s] at another temperature than the reference."""
    reference = reference_c(values)
    if ambient is not None and ambient.at(now_s) != reference:
        raise UsageError(
            f"closed-loop programming is described at {reference:g} °C and it is "
            f"{ambient.at(now_s):g} °C; program at {reference:g} °C or with the method statistical"
        )


def readout_factor(law: TemperatureLaw, g: FloatArray, temperature_c: float) -> FloatArray:
    """What devices conduct at `temperature_c` [°C], relative to the reference temperature.

    exp[-(E_a0/k)(1/T - 1/T_ref)], E_a0 that of the programmed state: `g` [µS] is the conductance at
    t0, of any shape; what drift adds to it is in the exponent of drift. E_a0 as coded in aihwkit's
    tutorial of temperature effects.

    >>> from pcmsim.devices import load_parameter_set
    >>> law = load_parameter_set("pcm-gst-90nm").values.temperature
    >>> readout_factor(law, np.array([0.1, 20.0]), 50.0).round(2)
    array([2.  , 1.35])
    """
    kelvin, reference_k = temperature_c + ZERO_CELSIUS_K, law.reference_c + ZERO_CELSIUS_K
    inverse_ev = (1.0 / kelvin - 1.0 / reference_k) / BOLTZMANN_EV_PER_K
    return np.exp(-inverse_ev * law.energy_ev(g)).astype(g.dtype, copy=False)


def effective_age_s(
    values: Values, ambient: Ambient, programmed_at_s: float | FloatArray, now_s: float
) -> float | FloatArray:
    """Age [s] in the drift law at `now_s` [s], in units of time at the reference temperature.

    `programmed_at_s` is one clock time, or one for each device (any shape; the cost grows with how
    many of them differ). With the time origin "reference" a device is t0 old when programming ends,
    whatever the temperature; with "last_pulse" nothing has drifted below the onset.
    Raises `UsageError` as `temperature_law`, and for a time before programming.

    >>> from pcmsim.devices import load_parameter_set
    >>> values = load_parameter_set("pcm-gst-90nm").values
    >>> hour = effective_age_s(values, Ambient((0.0,), (85.0,)), 0.0, 3600.0)
    >>> round(hour / 86400.0, 1)  # days
    89.5
    """
    elapsed = now_s - programmed_at_s
    check_elapsed(elapsed)
    law = temperature_law(values, ambient)
    if law is None:
        return age_s(values, elapsed)
    if not isinstance(programmed_at_s, np.ndarray):
        return _aged(values, law, ambient, float(programmed_at_s), now_s)
    times, which = np.unique(programmed_at_s, return_inverse=True)
    ages = np.array([_aged(values, law, ambient, t_s, now_s) for t_s in times.tolist()])
    return ages[which].reshape(programmed_at_s.shape)


def _aged(
    values: Values, law: TemperatureLaw, ambient: Ambient, programmed_at_s: float, now_s: float
) -> float:
    tau = law.attempt_s
    counts_from_t0 = values.time_origin == "reference"
    begin = math.log(values.t0_s / tau) if counts_from_t0 else -math.inf
    log_age = ambient.log_age(begin, programmed_at_s, now_s, law.reference_c, tau)
    age = tau * math.exp(log_age)
    return age if counts_from_t0 else max(age, values.onset_s)
