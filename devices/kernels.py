"""The compiled loop behind `fluctuation`; its readable twin stands beside the tests.

The order of every operation is written out, and the compiler may only fuse a product with the sum
it is part of. So loops that draw the same events, here and in `follower_kernel`, agree to the bit.
"""

import math
from typing import Any

import numba
import numpy as np

from pcmsim.devices.laws import FloatArray

# Not "fast": a free order of operations would differ from loop to loop.
compiled = numba.njit(fastmath={"contract"}, error_model="numpy", cache=True, nogil=True)

_f, _i = np.float32, np.int32
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_EXP_MINUS_ONE_32 = np.uint64(math.exp(-1.0) * 2**32)
_LN2, _SQRT_HALF_BITS = np.float32(math.log(2.0)), np.int32(0x3F3504F3)
_TURN, _QUARTER = np.float32(2 * math.pi), np.float32(math.pi / 2)


@numba.njit(inline="always")
def mix(x: Any) -> Any:  # pragma: no cover - compiled
    """Finaliser of SplitMix64 (Steele et al., doi:10.1145/2660193.2660195): 64 well-mixed bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@numba.njit(inline="always")
def history(key: Any, i: int) -> Any:  # pragma: no cover - compiled
    """Hash that stands for device `i` of the array `key`."""
    return mix(key ^ mix(np.uint64(i) + _GOLDEN))


@numba.njit(inline="always")
def mode_of(device: Any, k: int) -> Any:  # pragma: no cover - compiled
    """Hash that stands for mode `k` of a device."""
    return device + _GOLDEN * np.uint64(k + 1)


@numba.njit(inline="always")
def last_of(mode: Any, interval: float) -> Any:  # pragma: no cover - compiled
    """Hash of the last event of an interval, the first to be drawn; `mix` gives the one before."""
    return mix(mode ^ mix(np.uint64(np.int64(interval)) + _GOLDEN))


@numba.njit(inline="always")
def happened(event: Any) -> Any:  # pragma: no cover - compiled
    """Whether the last event of an interval that is over fell into it: an exponential below one."""
    return (event >> _HALF) > _EXP_MINUS_ONE_32


@numba.njit(inline="always")
def before(position: Any, event: Any) -> Any:  # pragma: no cover - compiled
    """Position of an event that comes a unit exponential before `position`: position + ln U.

    U is uniform, from the upper 24 bits of the hash; ln U = e ln 2 + s q, to about 1e-7.
    """
    bits = np.float32(_f(_i(event >> np.uint64(40))) * _f(2**-24) + _f(2**-25)).view(_i)
    e = _i(_i(bits - _SQRT_HALF_BITS) >> _i(23))
    m = np.int32(bits - _i(e << _i(23))).view(_f)
    s = (m - _f(1)) / (m + _f(1))
    w = s * s
    q = _f(2) + w * (_f(2 / 3) + w * (_f(2 / 5) + w * (_f(2 / 7) + w * _f(2 / 9))))
    return (position + _f(e) * _LN2) + s * q


@numba.njit(inline="always")
def amplitude(event: Any, std: Any) -> Any:  # pragma: no cover - compiled
    """N(0, std²) amplitude that an event set, as two factors r and c (Box and Muller).

    r = √(-2 ln U) and c = std cos 2πx = -std sin z, z = 2π(|x| - 1/4).
    """
    h = mix(event + _GOLDEN)
    r = np.sqrt(_f(-2) * before(_f(0), h))
    turn = _f(_i(np.uint32(h & np.uint64(0xFFFFFFFF)))) * _f(2**-32)
    z = abs(turn) * _TURN - _QUARTER
    w, scaled = z * z, z * std
    p = _f(1 / 5040) + w * (_f(-1 / 362880) + w * _f(1 / 39916800))
    p = _f(1 / 6) + w * (_f(-1 / 120) + w * p)
    return r, (w * p) * scaled - scaled


@compiled
def renewal_sum(
    key: Any,
    rates: FloatArray,
    stds: FloatArray,
    intervals: FloatArray,
    fractions: FloatArray,
    since_s: FloatArray,
    numbers: Any,
    out: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Fill `out` with sum_k a_k(device), where a_k was set by the last event before now.

    Devices are those of `numbers`, or in order from 0 where that is empty.

    Time is cut into intervals of 1/λ, and the events of an interval are drawn backwards from its
    end with exponential gaps; so an interval that is over needs only its last event. For mode k,
    now lies in the interval `intervals[k]`, at the position `fractions[k]`. A mode whose last
    event lies before `since_s`, of one device each or one for all, adds nothing.
    """
    out[:] = 0
    own = 1 if since_s.size > 1 else 0
    devices = np.empty(out.size, np.uint64)
    for i in range(out.size):
        devices[i] = history(key, numbers[i] if numbers.size else i)
    # Modes outside: all devices share the interval, and mostly take the same branches.
    for k in range(rates.size):
        rate, std = rates[k], np.float32(stds[k])
        present, fraction = intervals[k], fractions[k]
        for i in range(out.size):
            start = since_s[own * i] * rate
            mode = mode_of(devices[i], k)
            event = last_of(mode, present)
            position = before(_f(1), event)
            while position >= fraction:
                event = mix(event)
                position = before(position, event)
            found, interval = position >= 0, present
            while not found and interval > start:
                interval -= 1.0
                event = last_of(mode, interval)
                found = happened(event)
            if found and (
                interval > start
                or interval + (1.0 + before(_f(0), event) if interval < present else position)
                > start
            ):
                r, c = amplitude(event, std)
                out[i] += r * c
