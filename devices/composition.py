"""How drift goes on when a SET pulse comes between: what happens to the clock of the device.

A pulse of 50 ns heats the amorphous plug but does not melt it, so it may or may not undo its
relaxation. With G_d the drifted conductance at the pulse and ΔG the increment, a share r of
G_d + ΔG starts a new clock and the rest keeps the old one:

    G(t') = (G_d + ΔG) [r (age_new / t0)^-ν + (1 - r) (age_old(t') / age_old(t))^-ν].

No measured r is published: "SET, wait, SET, watch" traces would give it. Increments were measured
at reads, so they act on G_d and not on the undrifted reference.
"""

from typing import Literal

import numpy as np

from pcmsim.devices.ambient import Ambient
from pcmsim.devices.drift import age_s, drifted
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values
from pcmsim.devices.state import ArrayState
from pcmsim.devices.temperature import effective_age_s, thermal
from pcmsim.errors import UsageError

Composition = Literal["undone", "kept", "fresh", "blend"]


def composed(
    composition: Composition,
    g: FloatArray,
    nu: FloatArray,
    g_step: FloatArray,
    pulse_age_s: float,
    age_s: float,
    t0_s: float,
    rejuvenation: float = 1.0,
) -> FloatArray:
    """Conductance [µS] at the age `age_s` [s] after a pulse at `pulse_age_s` [s] added `g_step`.

    Ages count from the programming, `g` [µS] being the value at t0, and shapes are alike.
    "fresh": the clock starts again for all of it; "kept": it goes on; "blend": the share
    `rejuvenation` is fresh, the rest kept. "undone" adds the step to `g` itself and starts the
    clock again, as some network simulators do: that takes back the drift of the past with each
    pulse, and is here for comparison only.

    Raises `UsageError` for another composition, or an age before the pulse.

    >>> g, nu = np.array([5.0]), np.array([0.05])
    >>> composed("fresh", g, nu, np.array([1.0]), 1e5, 2e5, 20.0).round(4)
    array([2.7866])
    """
    if not 0.0 < pulse_age_s <= age_s:
        raise UsageError(f"0 < pulse_age_s <= age_s is needed; got {pulse_age_s:g}, {age_s:g} s")
    since = max(age_s - pulse_age_s, t0_s)
    after = drifted(g, nu, pulse_age_s, t0_s) + g_step
    fresh, kept = drifted(after, nu, since, t0_s), drifted(after, nu, age_s, pulse_age_s)
    match composition:
        case "undone":
            return drifted(g + g_step, nu, since, t0_s)
        case "kept":
            return kept
        case "fresh":
            return fresh
        case "blend":
            return rejuvenation * fresh + (1.0 - rejuvenation) * kept
    raise UsageError(f"composition is undone, kept, fresh or blend; got {composition!r}")


def present(
    values: Values,
    state: ArrayState,
    now_s: float,
    at: np.ndarray,
    ambient: Ambient | None = None,
) -> tuple[FloatArray, FloatArray]:
    """What a pulse at `now_s` [s] finds in the devices with flat indices `at`.

    Returns conductance [µS] and age [s] of one power law that has the value and the logarithmic
    slope of all parts: 1/age = Σ w_k / age_k with w_k their shares of the conductance. Ages below
    t0, where the law has not been measured, count as t0; or pulses in quick succession would take
    the drift before t0 for gain, again and again. `ambient` has its part in the drift, but none in
    the conductance, which is that at the reference temperature, as increments are.
    """
    written = np.asarray(state.programmed_at_s)
    written = written.reshape(-1)[at] if written.ndim else np.full(at.shape, written)
    elapsed = now_s - written
    if ambient is None or thermal(values, state, ambient) is None:
        age = np.maximum(age_s(values, elapsed), values.t0_s)
    else:
        aged = effective_age_s(values, ambient, written, now_s)
        age = np.maximum(aged, values.t0_s)
    g, nu = state.g.reshape(-1)[at], state.nu.reshape(-1)[at]
    factor = drifted(np.ones_like(g), nu, age, values.t0_s)
    if state.kept is not None:
        share, then = state.kept.share.reshape(-1)[at], state.kept.age_s.reshape(-1)[at]
        old = drifted(share, nu, then + elapsed, then)
        factor, age = merged((1 - share) * factor, age, old, then + elapsed)
    return g * factor, age


def merged(
    new: float | FloatArray, new_s: float | FloatArray, old: float | FloatArray, old_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """One part with the value and logarithmic slope of two, given with their ages [s].

    >>> merged(1.0, 20.0, 3.0, np.array([60.0]))
    (array(4.), array([40.]))
    """
    value = np.asarray(new + old)
    weight = np.asarray(new / value, dtype=np.float64)
    return value, np.asarray(1.0 / (weight / new_s + (1.0 - weight) / old_s))


def remaining(values: Values, state: ArrayState, now_s: float) -> FloatArray:
    """Conductance [µS] at `now_s` [s] of devices of which SET pulses left a part with its clock."""
    elapsed = now_s - state.programmed_at_s
    whole = drifted(state.g, state.nu, age_s(values, elapsed), values.t0_s)
    if state.kept is None:
        return whole
    share, then = state.kept.share, state.kept.age_s
    old = drifted(state.g, state.nu, then + elapsed, then)
    return np.asarray((1 - share) * whole + share * old)
