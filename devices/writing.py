"""Changing some devices of an array and leaving the others as they are, bit for bit."""

from dataclasses import fields, replace
from typing import Any

import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.noise import noise_amplitude
from pcmsim.devices.params import Values
from pcmsim.devices.state import ArrayState, Kept
from pcmsim.errors import UsageError

# Flat indices of devices, or the slice of all of them.
At = slice | np.ndarray
EVERY = slice(None)


def selected(where: np.ndarray | None, shape: tuple[int, ...]) -> At:
    """The devices of the boolean mask `where`, of the array's `shape`; None means all.

    Raises `UsageError` for a mask of another shape or type.
    """
    if where is None:
        return EVERY
    if not isinstance(where, np.ndarray) or where.dtype != np.bool_ or where.shape != shape:
        found = f"{np.asarray(where).dtype} of shape {np.shape(where)}"
        raise UsageError(f"where must be a boolean mask of shape {shape} or None; got {found}")
    return np.flatnonzero(where)


def some(state: ArrayState, at: np.ndarray) -> ArrayState:
    """The devices with the flat indices `at` as an array of their own, in one row.

    >>> from pcmsim.devices import load_parameter_set, manufacture
    >>> from pcmsim.rng import stream
    >>> values = load_parameter_set("pcm-gst-90nm").values
    >>> some(manufacture(values, (2, 3), stream(0, "make")), np.array([0, 5])).shape
    (2,)
    """
    chosen: dict[str, Any] = {
        field.name: take(value, at)
        for field in fields(state)
        if isinstance(value := getattr(state, field.name), np.ndarray)
    }
    kept = state.kept and Kept(take(state.kept.share, at), take(state.kept.age_s, at))
    return replace(state, kept=kept, **chosen)


def take(array: np.ndarray, at: At) -> np.ndarray:
    """The entries `at` of `array`, as one row."""
    return array.reshape(-1)[at]


def put(array: np.ndarray, at: At, new: Any) -> np.ndarray:
    """A copy of `array` with the entries `at` replaced."""
    flat = array.flatten()
    flat[at] = new
    return flat.reshape(array.shape)


def clock(state: ArrayState, at: At, now_s: float | FloatArray) -> float | FloatArray:
    """Times of the last write [s] once the devices `at` are written at `now_s` [s].

    Refuses a time that is not finite.
    """
    if not np.all(np.isfinite(now_s)):
        raise UsageError(f"now_s must be finite; got {np.max(now_s):g} s")
    if isinstance(at, slice) and np.ndim(now_s) == 0:
        return float(now_s)
    written = np.broadcast_to(np.asarray(state.programmed_at_s, np.float64), state.shape)
    return put(written, at, now_s)


def melted(
    values: Values,
    state: ArrayState,
    at: At,
    g: FloatArray,
    nu: FloatArray,
    nu_event: FloatArray,
    origin: int | np.ndarray,
    now_s: float | FloatArray,
) -> ArrayState:
    """State after the devices `at` were melted at `now_s` [s] and came to `g` [µS] with `nu`.

    A melt begins a new life: new share of the exponent, new clock, no SET pulses yet.
    """
    kept = None
    if state.kept is not None and not isinstance(at, slice):
        kept = Kept(put(state.kept.share, at, 0.0), state.kept.age_s)
    return replace(
        state,
        g=put(state.g, at, g),
        nu=put(state.nu, at, nu),
        noise=put(state.noise, at, noise_amplitude(values, g)),
        nu_event=put(state.nu_event, at, nu_event),
        programmed_at_s=clock(state, at, now_s),
        origin=put(state.origin, at, origin),
        sets=put(state.sets, at, 0),
        kept=kept,
    )
