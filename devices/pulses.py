"""Single SET and RESET pulses: small steps up with memory, and one abrupt step down.

SET: Nandakumar et al. 2018, doi:10.1063/1.5042408; coefficients live in parameter sets. A negative
increment is part of the data, for the spread is as large as the mean: it is not rectified, only the
conductance is held in its range.
"""

from dataclasses import replace

import numpy as np

from pcmsim.devices.ambient import Ambient
from pcmsim.devices.composition import merged, present
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.noise import noise_amplitude
from pcmsim.devices.normals import standard_normal
from pcmsim.devices.params import Values
from pcmsim.devices.programming import device_and_event, drift_exponent, reset_conductance
from pcmsim.devices.pulse_model import pulse_model
from pcmsim.devices.state import HEALTHY, MELTED_IN_FULL, ArrayState, Kept
from pcmsim.devices.temperature import temperature_law
from pcmsim.devices.wear import wear_out
from pcmsim.devices.writing import clock, melted, put, selected, take
from pcmsim.errors import UsageError


def set_moments(
    values: Values, g: FloatArray, sets: np.ndarray, set_factor: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation [µS] of the increment by the next SET pulse.

    `g` is the present conductance [µS], `sets` the number of SET pulses since the last melt, and
    `set_factor` the device's own factor, on the mean alone; shapes alike. The pulse to come is
    number p = sets + 1. Raises `UsageError` if the set has no pulse model.

    >>> from pcmsim.devices import load_parameter_set
    >>> values = load_parameter_set("pcm-gst-90nm").values
    >>> mean, std = set_moments(values, np.array([0.1]), np.array([0]), np.ones(1))
    >>> mean.round(4), std.round(4)
    (array([1.8246]), array([1.7326]))
    """
    mean, std = pulse_model(values).set_pulse(g, sets + 1)
    return mean * set_factor, np.maximum(std, 0)


def set_exponent(values: Values, nu_device: FloatArray, nu_event: FloatArray) -> FloatArray:
    """Drift exponent of what SET pulses built up from RESET: |μ + σ (√ρ a + √(1-ρ) b)|.

    Times the projection factor of a liner; a and b as in `drift_exponent`.
    """
    model = pulse_model(values)
    spread = device_and_event(values, nu_device, nu_event)
    return np.abs(model.set_nu_mean + model.set_nu_std * spread) * values.projection


def apply_set(
    values: Values,
    state: ArrayState,
    counts: np.ndarray,
    now_s: float,
    rng: np.random.Generator,
    ambient: Ambient | None = None,
) -> ArrayState:
    """`counts` SET pulses to each device at the clock time `now_s` [s], one after another.

    Each pulse adds N(mean, std) of `set_moments` to the conductance that drift has left, within
    set_g_min ... set_g_max; a device already outside is not moved by these limits. Then the clock
    starts again, in full or in part (`pcmsim.devices.composition`). A device that comes from a full
    RESET takes on the exponent of SET pulses, set_nu_mean + set_nu_std (√ρ a + √(1-ρ) b), with its
    own a and the b of its last melt; one that was programmed keeps the exponent it has.

    With `set_acts_on` "reference" a pulse finds the value at t0 instead, as in Nandakumar et al.,
    where pulses follow so fast that nothing has drifted; after a long time it would undo the drift.
    Slow noise counts from the last pulse, of whatever kind: a SET pulse too makes traps begin anew.

    `counts` holds whole numbers from 0, in the array's shape; devices with 0 stay as they are, bit
    for bit. Faulty devices receive pulses and do not change.
    `ambient` is the temperature that the devices have drifted in; pulses act on what they would
    conduct at the reference temperature, and are described at it.
    Raises `UsageError` if the set has no pulse model, for other counts, a time before the last
    write, or temperatures that the set, or a rejuvenation below one, is not described at.

    >>> from pcmsim.devices import load_parameter_set, manufacture
    >>> from pcmsim.rng import stream
    >>> values = load_parameter_set("ideal").values
    >>> state = manufacture(values, (3,), stream(0, "make"))
    >>> apply_set(values, state, np.array([0, 1, 4]), 0.0, stream(0, "set")).g
    array([0. , 0.5, 2. ], dtype=float32)
    """
    model = pulse_model(values)
    _check_counts(counts, state.shape)
    _check_ambient(values, model.rejuvenation, ambient)
    given = state.set_pulses.astype(np.int64) + counts
    state = replace(state, set_pulses=given.astype(np.int32))
    at = np.flatnonzero((counts > 0) & (state.fault == HEALTHY))
    if at.size == 0:
        return state
    n, sets = take(counts, at), take(state.sets, at)
    g, age = present(values, state, now_s, at, ambient)
    if values.set_acts_on == "reference":
        g = take(state.g, at).copy()
    low, high = np.minimum(g, model.set_g_min), np.maximum(g, model.set_g_max)
    for pulse in range(n.max()):
        on = np.flatnonzero(n > pulse)
        mean, std = set_moments(values, g[on], sets[on] + pulse, take(state.set_factor, at[on]))
        step = mean + std * standard_normal(rng, on.shape, g.dtype)
        g[on] = np.clip(g[on] + step, low[on], high[on])
        if model.rejuvenation < 1.0 and pulse > 0:
            r = model.rejuvenation
            age[on] = merged(r, values.t0_s, 1.0 - r, age[on])[1]
    first = (sets == 0) & (take(state.origin, at) == MELTED_IN_FULL)
    nu = np.where(
        first,
        set_exponent(values, take(state.nu_device, at), take(state.nu_event, at)),
        take(state.nu, at),
    )
    return replace(
        state,
        g=put(state.g, at, g),
        nu=put(state.nu, at, nu),
        noise=put(state.noise, at, noise_amplitude(values, g)),
        programmed_at_s=clock(state, at, now_s),
        sets=put(state.sets, at, sets + n),
        kept=_kept(state, at, 1.0 - model.rejuvenation, age),
    )


def apply_reset(
    values: Values,
    state: ArrayState,
    where: np.ndarray | None,
    now_s: float,
    rng: np.random.Generator,
) -> ArrayState:
    """One RESET pulse at the clock time `now_s` [s] to the devices of the mask `where`.

    It forgets what was before: log-normal RESET conductance, new clock, new share of the exponent,
    whose law is that of a target of zero. None means all devices. Faulty devices receive the pulse
    and do not change. Each pulse wears (`pcmsim.devices.wear`). Raises `UsageError` for a mask that
    is none.

    >>> from pcmsim.devices import load_parameter_set, manufacture, program
    >>> from pcmsim.rng import stream
    >>> values = load_parameter_set("ideal").values
    >>> state = manufacture(values, (3,), stream(0, "make"))
    >>> state = program(values, state, np.array([1.0, 2.0, 3.0]), 0.0, stream(0, "write"))
    >>> apply_reset(values, state, np.array([False, True, False]), 5.0, stream(0, "reset")).g
    array([1., 0., 3.], dtype=float32)
    """
    at = selected(where, state.shape)
    state = replace(state, resets=put(state.resets, at, take(state.resets, at) + 1))
    healthy = take(state.fault, at) == HEALTHY
    at = np.flatnonzero(healthy) if isinstance(at, slice) else at[healthy]
    xi, event = rng.standard_normal((2, at.size))
    g = reset_conductance(values, xi).astype(state.g.dtype)
    nu = drift_exponent(values, np.zeros_like(g), take(state.nu_device, at), event)
    state = melted(values, state, at, g, nu, event, MELTED_IN_FULL, now_s)
    return wear_out(values, state, rng)


def _kept(state: ArrayState, at: np.ndarray, share: float, age: FloatArray) -> Kept | None:
    if state.kept is None and share == 0.0:
        return None
    before = state.kept or Kept(np.zeros_like(state.g), np.ones(state.shape))
    return Kept(put(before.share, at, share), put(before.age_s, at, age))


def _check_ambient(values: Values, rejuvenation: float, ambient: Ambient | None) -> None:
    law = None if ambient is None else temperature_law(values, ambient)
    if law is not None and rejuvenation < 1.0:
        raise UsageError(
            f"rejuvenation = {rejuvenation:g} leaves SET pulses a part with its old clock, which "
            f"holds at {law.reference_c:g} °C only; write rejuvenation = 1.0 or leave the "
            f"temperature there"
        )


def _check_counts(counts: np.ndarray, shape: tuple[int, ...]) -> None:
    if np.shape(counts) != shape or np.asarray(counts).dtype.kind not in "iu":
        found = f"{np.asarray(counts).dtype} of shape {np.shape(counts)}"
        raise UsageError(f"counts must be whole numbers of shape {shape}; got {found}")
    if counts.size and counts.min() < 0:
        raise UsageError(
            f"counts reach {counts.min()}; a device cannot be given fewer than 0 pulses"
        )
