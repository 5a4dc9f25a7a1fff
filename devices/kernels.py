"""The compiled loop behind `fluctuation`; its readable twin stands beside the tests."""

import math
from typing import Any

import numba
import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.normals import cos_turn, log_single

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
def _minus_log(bits: Any) -> Any:  # pragma: no cover - compiled
    """-ln U of a uniform U from the upper 24 of 32 bits."""
    return -log_single(
        np.float32(np.int32(bits >> np.uint64(8))) * np.float32(2**-24) + np.float32(2**-25)
    )


@numba.njit(inline="always")
def _amplitude(event: Any) -> Any:  # pragma: no cover - compiled
    """N(0, 1) amplitude that an event set, from a hash of the event (Box and Muller)."""
    h = mix(event + _GOLDEN)
    radius = np.sqrt(np.float32(2) * _minus_log(h >> _HALF))
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
    for i in range(out.size):
        device = mix(key ^ mix(np.uint64(i) + _GOLDEN))
        total = 0.0
        for k in range(rates.size):
            mode = device + _GOLDEN * np.uint64(k + 1)
            start = since_s * rates[k]
            interval = math.floor(now_s * rates[k])
            upto = now_s * rates[k] - interval
            while interval + 1.0 > start:
                event = mix(mode ^ mix(np.uint64(np.int64(interval)) + _GOLDEN))
                whole_and_old = upto >= 1.0 and interval > start
                if whole_and_old:
                    position = 0.0 if (event >> _HALF) > _EXP_MINUS_ONE_32 else -1.0
                else:
                    position = 1.0 - _minus_log(event >> _HALF)
                    while position >= upto:
                        event = mix(event)
                        position -= _minus_log(event >> _HALF)
                if position >= 0.0:
                    if interval + position > start or whole_and_old:
                        total += stds[k] * _amplitude(event)
                    break
                interval, upto = interval - 1.0, 1.0
        out[i] = total
