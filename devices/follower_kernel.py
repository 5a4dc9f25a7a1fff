"""The compiled loop behind `Follower`: re-evaluates what has changed since the last look.

Instants are counted in intervals of 1/λ of their mode, as in `kernels.renewal_sum`. Devices are
kept and visited in blocks, so that what belongs to them is fetched once however many modes change;
within a block devices lie side by side, and both the search for what has expired and the sum over
modes run in vector registers.
"""

import math
from typing import Any

import numba
import numpy as np

from pcmsim.devices.kernels import (
    amplitude,
    before,
    compiled,
    happened,
    history,
    last_of,
    mix,
    mode_of,
)
from pcmsim.devices.laws import FloatArray

# Devices per block and per vector comparison; modes between two partial sums.
_BLOCK, _CHUNK, _GROUP = 64, 16, 8
# An event has one position while its interval lasts, of a sum in single precision, and another
# afterwards, of its own draw; they agree within this much, and the rounding of double precision.
_ROUNDING, _EPS = 2.0**-20, 2.0**-50


def nothing(key: int, modes: int, devices: int) -> tuple[np.ndarray, ...]:
    """What stands before the first look, which any time precedes; `follow` changes it.

    reached    instant of the last look [K]
    histories  hashes of the devices [B, D]: B blocks of D devices, of which the last is padded
    since_s    last pulses [s] at the last look [B, D]
    soonest    minima of `until` over a block [B, K]
    until      instants up to which the amplitudes surely stand [B, K, D]
    events     instants of the events that set the amplitudes [B, K, D]
    factors    amplitudes as two factors, the first zero before the last pulse [B, K, 2, D]
    partial    sums over the modes before every eighth, and over all [B, K / 8 + 1, D]

    A plain tuple: naming its parts would cost more at every call than a look does.
    """
    blocks, groups = -(-devices // _BLOCK), -(-modes // _GROUP)
    histories = np.empty((blocks, _BLOCK), np.uint64)
    _set_histories(np.uint64(key), histories.reshape(-1))
    return (
        np.full(modes, np.inf),
        histories,
        np.empty((blocks, _BLOCK)),
        np.empty((blocks, modes)),
        np.full((blocks, modes, _BLOCK), np.inf),
        np.empty((blocks, modes, _BLOCK)),
        np.zeros((blocks, modes, 2, _BLOCK), np.float32),
        np.zeros((blocks, groups + 1, _BLOCK), np.float32),
    )


@compiled
def _set_histories(key: Any, out: np.ndarray) -> None:  # pragma: no cover - compiled
    for i in range(out.size):
        out[i] = history(key, i)


@numba.njit(inline="always")
def _evaluate(mode: Any, present: float, fraction: Any) -> Any:  # pragma: no cover - compiled
    """Hash and instant of the last event before now, and the instant of the next to change it."""
    event = last_of(mode, present)
    position = before(np.float32(1), event)
    # Whether the last event of the interval will be seen, and as the last, when it is over.
    steady = (position >= 0) == happened(event)
    until = math.inf
    while position >= fraction:
        until = present + position
        event = mix(event)
        position = before(position, event)
    ahead = present
    while until == math.inf:
        ahead += 1.0
        if not steady:
            until = ahead
            break
        later = last_of(mode, ahead)
        q = before(np.float32(1), later)
        steady = (q >= 0) == happened(later)
        while q >= 0:
            until = ahead + q
            later = mix(later)
            q = before(q, later)
    if position >= 0:
        return event, present + position, until
    interval = present - 1.0
    event = last_of(mode, interval)
    while not happened(event):
        interval -= 1.0
        event = last_of(mode, interval)
    # An event at the very start may have been rounded across it.
    return event, max(interval, interval + (1.0 + before(np.float32(0), event))), until


@numba.njit(inline="always")
def _least(until: FloatArray, block: int, k: int) -> Any:  # pragma: no cover - compiled
    """Minimum over a block, of four minima that do not wait for each other."""
    a = b = c = d = math.inf
    for j in range(0, _BLOCK, 4):
        a, b = min(a, until[block, k, j]), min(b, until[block, k, j + 1])
        c, d = min(c, until[block, k, j + 2]), min(d, until[block, k, j + 3])
    return min(min(a, b), min(c, d))


@compiled
def follow(
    rates: FloatArray,
    stds: FloatArray,
    intervals: FloatArray,
    fractions: FloatArray,
    new_s: FloatArray,
    standing: Any,
    out: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Bring what stands to now and fill `out`; the arguments are those of `renewal_sum`."""
    reached, histories, since_s, soonest, until, events, factors, partial = standing
    modes, last = rates.size, partial.shape[1] - 1
    own = 1 if new_s.size > 1 else 0
    x = np.empty(_BLOCK, np.float32)

    anew = False
    for k in range(modes):
        now = intervals[k] + np.float64(fractions[k])
        anew = anew or now < reached[k]
        reached[k] = now

    for block in range(soonest.shape[0]):
        start = block * _BLOCK
        size = min(_BLOCK, out.size - start)
        lowest = modes  # from which on the sum is out of date
        if anew:
            for j in range(size):
                since_s[block, j] = new_s[own * (start + j)]
            soonest[block] = -math.inf
            until[block, :, :size] = -math.inf

        # New pulses: what they silence, and what must be looked at again.
        different = 0
        if own:
            for j in range(size):
                different += new_s[start + j] != since_s[block, j]
        else:
            for j in range(size):
                different += new_s[0] != since_s[block, j]
        if different > 0:
            for j in range(size):
                since = new_s[own * (start + j)]
                if since == since_s[block, j]:
                    continue
                later = since > since_s[block, j]
                since_s[block, j] = since
                for k in range(modes):
                    if later and factors[block, k, 0, j] == 0:
                        continue
                    pulse, event = since * rates[k], events[block, k, j]
                    if not later or abs(event - pulse) < _ROUNDING + _EPS * abs(event):
                        until[block, k, j] = soonest[block, k] = -math.inf
                    elif not event > pulse:
                        factors[block, k, 0, j] = 0
                        lowest = min(lowest, k)

        for k in range(modes):
            now = reached[k]
            if not soonest[block, k] <= now:
                continue
            lowest = min(lowest, k)
            rate, std, present, fraction = rates[k], np.float32(stds[k]), intervals[k], fractions[k]
            for begin in range(0, _BLOCK, _CHUNK):
                due = 0
                for j in range(begin, begin + _CHUNK):
                    due += until[block, k, j] <= now
                if due == 0:
                    continue
                for j in range(begin, begin + _CHUNK):
                    if not until[block, k, j] <= now:
                        continue
                    mode, pulse = mode_of(histories[block, j], k), since_s[block, j] * rate
                    event, instant, stands = _evaluate(mode, present, fraction)
                    if abs(instant - pulse) < _ROUNDING + _EPS * abs(instant):
                        stands = min(stands, present + 1.0)
                    r, c = amplitude(event, std)
                    factors[block, k, 0, j] = r if instant > pulse else np.float32(0)
                    factors[block, k, 1, j] = c
                    events[block, k, j] = instant
                    until[block, k, j] = stands
            soonest[block, k] = _least(until, block, k)

        # In the order and precision of `renewal_sum`.
        if lowest < modes:
            group = lowest // _GROUP
            for j in range(_BLOCK):
                x[j] = partial[block, group, j]
            for k in range(group * _GROUP, modes):
                if k % _GROUP == 0:
                    for j in range(_BLOCK):
                        partial[block, k // _GROUP, j] = x[j]
                for j in range(_BLOCK):
                    x[j] += factors[block, k, 0, j] * factors[block, k, 1, j]
            for j in range(_BLOCK):
                partial[block, last, j] = x[j]
        for j in range(size):
            out[start + j] = partial[block, last, j]
