"""An array of devices through its life: made once, programmed, drifting, read."""

from dataclasses import replace

import numpy as np

from pcmsim.devices.ambient import Ambient
from pcmsim.devices.composition import remaining
from pcmsim.devices.drift import age_s, check_elapsed, drifted
from pcmsim.devices.drift_kernel import drift_since
from pcmsim.devices.faults import draw_faults
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values
from pcmsim.devices.programming import check_target, drift_exponent, programmed_conductance
from pcmsim.devices.relaxation import relaxed
from pcmsim.devices.state import (
    HEALTHY,
    MELTED_IN_FULL,
    MELTED_TO_TARGET,
    STUCK_SET,
    ArrayState,
)
from pcmsim.devices.temperature import effective_age_s, readout_factor, thermal
from pcmsim.devices.temperature_law import TemperatureLaw
from pcmsim.devices.wear import NEVER, draw_lifetime, wear_out
from pcmsim.devices.writing import melted, put, selected, take
from pcmsim.errors import UsageError


def manufacture(
    values: Values, shape: tuple[int, ...], rng: np.random.Generator, dtype: type = np.float32
) -> ArrayState:
    """Make an array: draw what belongs to each device for good, and leave it in RESET at time 0.

    `dtype` is float32 or float64 for all conductances and exponents.
    """
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise UsageError(f"dtype must be float32 or float64; got {dtype!r}")
    nu_device: FloatArray = rng.standard_normal(shape).astype(dtype)
    fault, g_fault = draw_faults(values, shape, rng, dtype)
    blank: FloatArray = np.zeros(shape, dtype)
    none, never = np.zeros(shape, np.int32), np.full(shape, NEVER, np.float32)
    state = ArrayState(
        g=blank,
        nu=blank,
        noise=blank,
        nu_device=nu_device,
        nu_event=blank,
        fault=fault,
        g_fault=g_fault,
        programmed_at_s=0.0,
        programmings=0,
        set_factor=blank,
        melt_shift=blank,
        lifetime=never,
        origin=np.zeros(shape, np.int8),
        sets=none,
        set_pulses=none,
        resets=none,
    )
    state = program(values, state, blank, 0.0, rng)
    return replace(
        state,
        set_factor=np.exp((values.set_device_std or 0.0) * rng.standard_normal(shape)).astype(
            dtype
        ),
        melt_shift=rng.standard_normal(shape).astype(dtype),
        lifetime=draw_lifetime(values, shape, rng),
    )


def program(
    values: Values,
    state: ArrayState,
    g_target: FloatArray,
    now_s: float,
    rng: np.random.Generator,
    where: np.ndarray | None = None,
) -> ArrayState:
    """Program devices to `g_target` [µS] at the clock time `now_s` [s]; the state after it.

    `g_target` has the array's shape. With the boolean mask `where` only the devices it holds are
    programmed; all others, their clocks included, stay as they are, bit for bit.

    What is new: conductance, exponent and noise amplitude of healthy devices, and their clock.
    What stays: the device's share of the exponent, its factors, and faults, which return to their
    own conductance. Programming melts, so it counts as one reset; who melts once too often is worn.
    Raises `UsageError` for a target of the wrong shape, not finite, negative or above g_max, or a
    mask that is none.
    """
    g_target = np.asarray(g_target, dtype=state.g.dtype)
    if g_target.shape != state.shape:
        raise UsageError(
            f"g_target must have shape {state.shape}, one per device; got {g_target.shape}"
        )
    at = selected(where, state.shape)
    g_target = take(g_target, at)
    check_target(values, g_target)
    xi, event = rng.standard_normal((2, g_target.size), dtype=np.float64)
    fault, g_fault = take(state.fault, at), take(state.g_fault, at)
    healthy = fault == HEALTHY
    g = np.where(healthy, programmed_conductance(values, g_target, xi), g_fault)
    aim = np.where(healthy, g_target, np.minimum(g_fault, values.g_max))
    nu = drift_exponent(values, aim, take(state.nu_device, at), event)
    nu[fault == STUCK_SET] = values.stuck_set_nu
    in_full = (g_target == 0.0) & (values.zero_target == "reset")
    origin = np.where(in_full, MELTED_IN_FULL, MELTED_TO_TARGET)
    state = melted(values, state, at, g, nu, event, origin, now_s)
    resets = put(state.resets, at, take(state.resets, at) + 1)
    state = replace(state, programmings=state.programmings + 1, resets=resets)
    return wear_out(values, state, rng)


def conductance(
    values: Values,
    state: ArrayState,
    now_s: float,
    out: FloatArray | None = None,
    ambient: Ambient | None = None,
) -> FloatArray:
    """Drifted conductance of every device [µS] at the clock time `now_s` [s], without read noise.

    With `ambient`, as its temperature of now shows it, after the drift that its temperatures since
    programming have brought about. Raises `UsageError` for temperatures that the set knows nothing
    of (`pcmsim.devices.temperature`).

    >>> from pcmsim.devices import load_parameter_set
    >>> from pcmsim.rng import stream
    >>> values = load_parameter_set("pcm-gst-90nm").values
    >>> state = manufacture(values, (100,), stream(0, "make"))
    >>> state = program(values, state, np.full(100, 10.0), 0.0, stream(0, "write"))
    >>> day = conductance(values, state, 86400.0)
    >>> bool((day <= conductance(values, state, 3600.0)).all())
    True
    """
    law = thermal(values, state, ambient)
    if law is not None and ambient is not None:
        return _in_ambient(values, law, state, now_s, ambient, out)
    written = state.programmed_at_s
    if values.relaxation is not None:
        g = relaxed(values, values.relaxation, state, now_s)
    elif state.kept is not None:
        g = remaining(values, state, now_s)
    elif isinstance(written, np.ndarray) and state.g.dtype == np.float32:
        return _drifted_single(values, state, written, now_s, out)
    else:
        return drifted(state.g, state.nu, age_s(values, now_s - written), values.t0_s, out)
    if out is None:
        return g
    out[...] = g
    return out


def _in_ambient(
    values: Values,
    law: TemperatureLaw,
    state: ArrayState,
    now_s: float,
    ambient: Ambient,
    out: FloatArray | None,
) -> FloatArray:
    """The same at temperatures other than the reference, in which the law acts on devices."""
    age = effective_age_s(values, ambient, state.programmed_at_s, now_s)
    now_c = ambient.at(now_s)
    if now_c == law.reference_c:
        return drifted(state.g, state.nu, age, values.t0_s, out)
    # What drift has added to the barrier of conduction is read at the temperature of now as well.
    g = drifted(state.g, state.nu * state.g.dtype.type(law.cold(now_c)), age, values.t0_s, out)
    np.multiply(g, readout_factor(law, state.g, now_c), out=g)
    return g


def _drifted_single(
    values: Values, state: ArrayState, written: FloatArray, now_s: float, out: FloatArray | None
) -> FloatArray:
    """The same by the compiled kernel, which takes rows."""
    ends = np.array([written.max(initial=-np.inf), written.min(initial=np.inf)])
    check_elapsed(now_s - ends if written.size else 0.0)
    offset, least = (
        (values.t0_s, 0.0) if values.time_origin == "reference" else (0.0, values.onset_s)
    )
    direct = out is not None and out.flags.c_contiguous and out.dtype == np.float32
    row = np.empty_like(state.g) if out is None or not direct else out
    drift_since(
        state.g.reshape(-1),
        state.nu.reshape(-1),
        written.reshape(-1),
        float(now_s),
        offset,
        least,
        values.t0_s,
        row.reshape(-1),
    )
    if out is None or direct:
        return row
    out[...] = row
    return out
