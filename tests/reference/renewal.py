"""The slow twin of the fluctuation kernel: one device and one mode at a time, in plain Python."""

import math

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def mix(x):
    """SplitMix64's finaliser in Python's whole numbers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def exponential(event):
    """Unit exponential from the upper 24 bits."""
    return -math.log(((event >> 40) + 0.5) * 2.0**-24)


def amplitude(event):
    """Normal amplitude from a hash of the event."""
    h = mix((event + _GOLDEN) & _MASK)
    low = h & 0xFFFFFFFF
    turn = (low - (1 << 32) if low >= 1 << 31 else low) * 2.0**-32
    return math.sqrt(2.0 * exponential(h)) * math.cos(2.0 * math.pi * turn)


def events(mode, interval):
    """Events of one interval, latest first, as (position in the interval, hash)."""
    event = mix(mode ^ mix((interval + _GOLDEN) & _MASK))
    position = 1.0 - exponential(event)
    while position >= 0.0:
        yield position, event
        event = mix(event)
        position -= exponential(event)


def fluctuation(key, device, rates, stds, now_s, since_s):
    """Sum over modes of the amplitude set by the last event before `now_s` and after `since_s`."""
    base = mix(key ^ mix((device + _GOLDEN) & _MASK))
    total = 0.0
    for k, (rate, std) in enumerate(zip(rates, stds, strict=True)):
        mode = (base + _GOLDEN * (k + 1)) & _MASK
        interval = math.floor(now_s * rate)
        while interval + 1 > since_s * rate:
            before = [
                (interval + p, e) for p, e in events(mode, interval) if interval + p < now_s * rate
            ]
            if before:
                if before[0][0] > since_s * rate:
                    total += std * amplitude(before[0][1])
                break
            interval -= 1
    return total
