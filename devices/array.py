"""An array of devices through its life: made once, programmed, drifting, read."""

from dataclasses import replace

import numpy as np

from pcmsim.devices.drift import age_s, drifted
from pcmsim.devices.faults import draw_faults
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.noise import noise_amplitude
from pcmsim.devices.params import Values
from pcmsim.devices.programming import check_target, drift_exponent, programmed_conductance
from pcmsim.devices.state import HEALTHY, STUCK_SET, ArrayState
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
    state = ArrayState(blank, blank, blank, nu_device, fault, g_fault, 0.0, 0)
    return program(values, state, blank, 0.0, rng)


def program(
    values: Values,
    state: ArrayState,
    g_target: FloatArray,
    now_s: float,
    rng: np.random.Generator,
) -> ArrayState:
    """Program every device to `g_target` [µS] at the clock time `now_s` [s]; the state after it.

    What is new: conductance, exponent and noise amplitude of healthy devices. What stays: the
    device's share of the exponent, and faults, which return to their own conductance.
    Raises `UsageError` for a target of the wrong shape, not finite, negative or above g_max.
    """
    g_target = np.asarray(g_target, dtype=state.g.dtype)
    if g_target.shape != state.shape:
        raise UsageError(
            f"g_target must have shape {state.shape}, one per device; got {g_target.shape}"
        )
    check_target(values, g_target)
    xi, event = rng.standard_normal((2, *state.shape), dtype=np.float64)
    healthy = state.fault == HEALTHY
    g = np.where(healthy, programmed_conductance(values, g_target, xi), state.g_fault)
    aim = np.where(healthy, g_target, np.minimum(state.g_fault, values.g_max))
    nu = drift_exponent(values, aim, state.nu_device, event)
    nu[state.fault == STUCK_SET] = values.stuck_set_nu
    return replace(
        state,
        g=g,
        nu=nu,
        noise=noise_amplitude(values, g),
        programmed_at_s=float(now_s),
        programmings=state.programmings + 1,
    )


def conductance(
    values: Values, state: ArrayState, now_s: float, out: FloatArray | None = None
) -> FloatArray:
    """Drifted conductance of every device [µS] at the clock time `now_s` [s], without read noise.

    >>> from pcmsim.devices import load_parameter_set
    >>> from pcmsim.rng import stream
    >>> values = load_parameter_set("pcm-gst-90nm").values
    >>> state = manufacture(values, (100,), stream(0, "make"))
    >>> state = program(values, state, np.full(100, 10.0), 0.0, stream(0, "write"))
    >>> day = conductance(values, state, 86400.0)
    >>> bool((day <= conductance(values, state, 3600.0)).all())
    True
    """
    age = age_s(values, now_s - state.programmed_at_s)
    return drifted(state.g, state.nu, age, values.t0_s, out)
