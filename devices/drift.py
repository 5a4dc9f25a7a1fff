"""Structural relaxation: conductance falls as a power of the time since programming.

G(t) = G_ref (age / t0)^-ν. Le Gallo et al., doi:10.1002/aelm.201700627; the onset below which
nothing drifts: Kersting et al., doi:10.1002/adfm.202104422.
"""

from typing import overload

import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values
from pcmsim.errors import UsageError


@overload
def age_s(values: Values, elapsed_s: float) -> float: ...
@overload
def age_s(values: Values, elapsed_s: FloatArray) -> FloatArray: ...
def age_s(values: Values, elapsed_s: float | FloatArray) -> float | FloatArray:
    """Age of a device in the drift law [s], `elapsed_s` after the end of programming.

    Two conventions are in use. "reference": programming ends with the read at t0, so the age is
    elapsed + t0 and the factor at zero is one. "last_pulse": the age is the time since the last
    pulse itself, and below the onset nothing has drifted yet.

    `elapsed_s` is one number or an array of any shape, one for each device.
    Raises `UsageError` for a negative or non-finite time.

    >>> from pcmsim.devices import load_parameter_set
    >>> age_s(load_parameter_set("pcm-gst-90nm").values, 3600.0)
    3620.0
    """
    check_elapsed(elapsed_s)
    if isinstance(elapsed_s, np.ndarray):
        if values.time_origin == "reference":
            return np.asarray(elapsed_s + values.t0_s)
        return np.maximum(elapsed_s, values.onset_s)
    if values.time_origin == "reference":
        return float(elapsed_s) + values.t0_s
    return max(float(elapsed_s), values.onset_s)


def check_elapsed(elapsed_s: float | FloatArray) -> None:
    """Refuse a time since programming [s] that is negative or not finite."""
    ends = [elapsed_s]
    if isinstance(elapsed_s, np.ndarray):
        ends = [elapsed_s.min(initial=0.0), elapsed_s.max(initial=0.0)]
    for end in ends:
        if not (np.isfinite(end) and end >= 0.0):
            raise UsageError(f"time since programming must be finite and >= 0 s; got {end:g}")


@overload
def pulse_s(values: Values, programmed_at_s: float) -> float: ...
@overload
def pulse_s(values: Values, programmed_at_s: FloatArray) -> FloatArray: ...
def pulse_s(values: Values, programmed_at_s: float | FloatArray) -> float | FloatArray:
    """Clock time of the last programming pulse [s] for an array programmed at `programmed_at_s`.

    With the origin "reference", programming ends with the read at t0, so the pulse came t0 before.
    One number or an array, one for each device.
    """
    return programmed_at_s - (values.t0_s if values.time_origin == "reference" else 0.0)


def drifted(
    g: FloatArray,
    nu: FloatArray,
    age: float | FloatArray,
    t0_s: float | FloatArray,
    out: FloatArray | None = None,
) -> FloatArray:
    """Conductance [µS] at the age `age` [s]: g (age / t0)^-ν, g being the value at t0.

    Shapes: `g` and `nu` alike; `age` and `t0_s` numbers or of that shape. `out`, if given,
    receives the result.

    >>> drifted(np.array([10.0]), np.array([0.05]), age=20.0, t0_s=20.0)
    array([10.])
    """
    out = np.empty_like(g) if out is None else out
    np.multiply(nu, -np.log(age / t0_s), out=out, dtype=g.dtype, casting="same_kind")
    np.exp(out, out=out)
    np.multiply(out, g, out=out)
    return out
