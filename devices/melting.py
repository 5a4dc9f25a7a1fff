"""Melting pulses: what a current leaves behind, and which current leaves a wanted conductance.

f(I) = top g_max / (1 + exp((I - I_half - δ) / w)): the falling branch of the U-shaped curve, where
a larger current melts a larger plug. The pulse forgets what was before. Coefficients: parameter
sets; a sweep of a real array gives its own.
"""

from dataclasses import replace

import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values
from pcmsim.devices.programming import drift_exponent
from pcmsim.devices.pulse_model import pulse_model
from pcmsim.devices.state import HEALTHY, MELTED_TO_TARGET, ArrayState
from pcmsim.devices.wear import wear_out
from pcmsim.devices.writing import melted, put, selected, take
from pcmsim.errors import UsageError


def melt_conductance(values: Values, current_ua: FloatArray, melt_shift: FloatArray) -> FloatArray:
    """Conductance f(I) [µS] that a melting pulse of `current_ua` [µA] leaves on average.

    `melt_shift` is the device's shift δ in standard deviations; shapes alike. Raises `UsageError`
    if the set has no pulse model.

    >>> from pcmsim.devices import load_parameter_set
    >>> values = load_parameter_set("pcm-gst-90nm").values
    >>> melt_conductance(values, np.array([300.0]), np.zeros(1))
    array([15.])
    """
    curve = pulse_model(values).melt_curve
    middle = curve.half_current_ua + curve.device_std_ua * melt_shift
    excess = (current_ua - middle) / curve.width_ua
    return np.asarray(curve.top * values.g_max / (1.0 + np.exp(excess)))


def melt_current(values: Values, g: FloatArray) -> FloatArray:
    """Current [µA] that leaves the conductance `g` [µS] in the median device, f(I) = g.

    Held within the range of the curve, which also answers for g = 0 and for g above the top.

    >>> from pcmsim.devices import load_parameter_set
    >>> melt_current(load_parameter_set("pcm-gst-90nm").values, np.array([0.0, 15.0, 30.0]))
    array([450., 300., 150.])
    """
    curve, g = pulse_model(values).melt_curve, np.asarray(g)
    with np.errstate(divide="ignore"):
        odds = np.log(np.maximum(curve.top * values.g_max / g - 1.0, 0.0))
    current = curve.half_current_ua + curve.width_ua * odds
    return np.asarray(np.clip(current, curve.min_current_ua, curve.max_current_ua))


def apply_melt(
    values: Values,
    state: ArrayState,
    current_ua: FloatArray,
    where: np.ndarray | None,
    now_s: float,
    rng: np.random.Generator,
) -> ArrayState:
    """One melting pulse of `current_ua` [µA] at `now_s` [s] to the devices of the mask `where`.

    G = max(0, f(I) exp(cycle_std ξ) + noise_std ξ'), with a new share of the exponent, whose law is
    that of the new conductance. `current_ua` has the array's shape; None means all devices. Faulty
    devices receive the pulse and do not change.

    Raises `UsageError` if the set has no pulse model, or for currents outside its curve.

    >>> from pcmsim.devices import load_parameter_set, manufacture
    >>> from pcmsim.rng import stream
    >>> values = load_parameter_set("ideal").values
    >>> state = manufacture(values, (2,), stream(0, "make"))
    >>> current = melt_current(values, np.array([5.0, 15.0]))
    >>> apply_melt(values, state, current, None, 0.0, stream(0, "melt")).g.round(3)
    array([ 5., 15.], dtype=float32)
    """
    curve, at = pulse_model(values).melt_curve, selected(where, state.shape)
    current_ua = np.asarray(current_ua, dtype=state.g.dtype)
    if current_ua.shape != state.shape:
        raise UsageError(
            f"current_ua must have shape {state.shape}, one per device; got {current_ua.shape}"
        )
    current_ua = take(current_ua, at)
    if not np.all((curve.min_current_ua <= current_ua) & (current_ua <= curve.max_current_ua)):
        raise UsageError(
            f"current_ua must lie within {curve.min_current_ua:g} ... {curve.max_current_ua:g} uA, "
            f"where the set has its melting curve; got {current_ua.min():g} ... "
            f"{current_ua.max():g} uA"
        )
    state = replace(state, resets=put(state.resets, at, take(state.resets, at) + 1))
    healthy = take(state.fault, at) == HEALTHY
    at = np.flatnonzero(healthy) if isinstance(at, slice) else at[healthy]
    f = melt_conductance(values, current_ua[healthy], take(state.melt_shift, at))
    cycle, noise, event = rng.standard_normal((3, at.size))
    g = np.maximum(0.0, f * np.exp(curve.cycle_std * cycle) + curve.noise_std_us * noise)
    g = g.astype(state.g.dtype)
    aim = np.minimum(g, values.g_max)
    nu = drift_exponent(values, aim, take(state.nu_device, at), event)
    state = melted(values, state, at, g, nu, event, MELTED_TO_TARGET, now_s)
    return wear_out(values, state, rng)
