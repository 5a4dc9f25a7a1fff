"""The compiled loop behind `fluctuation`; its readable twin stands beside the tests."""

import math
from typing import Any

import numba
import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.normals import cos_turn, minus_log_uniform

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_EXP_MINUS_ONE_32 = np.uint64(math.exp(-1.0) * 2**32)


@numba.njit(inline="always")
def mix(x: Any) -> Any:  # pragma: no cover - compiled
    """Finaliser of SplitMix64 (Steele et al., doi:10.1145/2660193.2660195): 64 well-mixed bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@numba.njit(inline="always")
def _minus_log(event: Any) -> Any:  # pragma: no cover - compiled
    """Unit exponential from the upper half of a hash."""
    return minus_log_uniform(np.uint32(event >> _HALF))


@numba.njit(inline="always")
def _amplitude(event: Any) -> Any:  # pragma: no cover - compiled
    """N(0, 1) amplitude that an event set, from a hash of the event (Box and Muller)."""
    h = mix(event + _GOLDEN)
    radius = np.sqrt(np.float32(2) * _minus_log(h))
    return radius * cos_turn(np.int32(np.uint32(h & np.uint64(0xFFFFFFFF))))


@numba.njit(fastmath=True, error_model="numpy", cache=True, nogil=True)
def renewal_sum(
    key: Any, rates: FloatArray, stds: FloatArray, now_s: float, since_s: float, out: FloatArray
) -> None:  # pragma: no cover - compiled
    """Fill `out` with sum_k std_k a_k(device), where a_k was set by the last event before `now_s`.

    Time is cut into intervals of 1/λ, and the events of an interval are drawn backwards from its
    end with exponential gaps; so an interval that is over needs only its last event. A mode whose
    last event lies before `since_s` adds nothing.
    """
    out[:] = 0
    devices = np.empty(out.size, np.uint64)
    for i in range(out.size):
        devices[i] = mix(key ^ mix(np.uint64(i) + _GOLDEN))
    # Modes outside: all devices share the interval, and mostly take the same branches.
    for k in range(rates.size):
        start, std = since_s * rates[k], np.float32(stds[k])
        present = math.floor(now_s * rates[k])
        fraction = np.float32(now_s * rates[k] - present)
        for i in range(out.size):
            mode = devices[i] + _GOLDEN * np.uint64(k + 1)
            event = _first(mode, present)
            position = np.float32(1) - _minus_log(event)
            while position >= fraction:
                event = mix(event)
                position -= _minus_log(event)
            found, interval = position >= 0, present
            while not found and interval > start:
                interval -= 1.0
                event = _first(mode, interval)
                found = (event >> _HALF) > _EXP_MINUS_ONE_32
            if found and (
                interval > start
                or interval + (1.0 - _minus_log(event) if interval < present else position) > start
            ):
                out[i] += std * _amplitude(event)


@numba.njit(inline="always")
def _first(mode: Any, interval: float) -> Any:  # pragma: no cover - compiled
    """Hash of the last event of an interval, the first to be drawn."""
    return mix(mode ^ mix(np.uint64(np.int64(interval)) + _GOLDEN))
