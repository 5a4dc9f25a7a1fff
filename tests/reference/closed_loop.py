"""The slow twin of the closed write-verify loops: one device at a time, in plain Python.

Written for the default set, whose laws stand here once more as numbers.
"""

import math

from renewal import exponential, mix

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_PULSE, _EVENT, _READ = 1, 2, 3
T0_S, FAST = 20.0, math.sqrt(math.log(math.exp(-0.5772156649015329) / 500e-9 / 100.0))


def pair(h):
    """Two normals from a hash."""
    low = h & 0xFFFFFFFF
    turn = (low - (1 << 32) if low >= 1 << 31 else low) * 2.0**-32
    radius = math.sqrt(2.0 * exponential(h))
    return radius * math.cos(2 * math.pi * turn), radius * math.sin(2 * math.pi * turn)


def draws(device, iteration, purpose):
    """Hash of one purpose in one iteration."""
    return mix((mix((device + _GOLDEN * (iteration + 1)) & _MASK) + _GOLDEN * purpose) & _MASK)


def history(key, i):
    """Hash of a device."""
    return mix(key ^ mix((i + _GOLDEN) & _MASK))


def look(h, g, nu, slow, wait_s, reads, bits):
    """A verify read: drift since the pulse, slow and fresh noise, converter, average."""
    drift = ((T0_S + wait_s) / T0_S) ** -nu
    q = min(0.0088 * max(g / 25.0, 1e-7) ** -0.65, 0.2)
    level, std = drift * g * (1 + q * slow), drift * q * g * FAST
    if bits is None:
        return max(0.0, level + std / math.sqrt(reads) * pair(h)[0])
    step = 30.0 / (2**bits - 1)
    seen = (level + std * pair(mix((h + _GOLDEN * m) & _MASK))[0] for m in range(reads))
    return sum(min(max(round(y / step), 0), 2**bits - 1) * step for y in seen) / reads


def melt(key, i, target, shift, nu_device, slow, tolerance, most, wait_s, reads, bits):
    """Conductance, iterations and success of a device in the "melt" loop."""
    device, current = history(key, i), 300.0 + 40.0 * math.log(30.0 / target - 1.0)
    current, slope = min(max(current, 150.0), 450.0), -target * (1 - target / 30.0) / 40.0
    for k in range(1, most + 1):
        cycle, noise = pair(draws(device, k, _PULSE))
        f = 30.0 / (1.0 + math.exp((current - 300.0 - 15.0 * shift) / 40.0))
        g = max(0.0, f * math.exp(0.08 * cycle) + 0.15 * noise)
        event = pair(draws(device, k, _EVENT))[0]
        x = math.log(max(min(g / 25.0, 1.0), 1e-7))
        mean = min(max(-0.0155 * x + 0.0244, 0.049), 0.1)
        spread = min(max(-0.0125 * x - 0.0059, 0.008), 0.045)
        nu = abs(mean + spread * math.sqrt(0.5) * (nu_device + event))
        error = look(draws(device, k, _READ), g, nu, slow, wait_s, reads, bits) - target
        if abs(error) <= tolerance:
            return g, k, True
        current = min(max(current - 0.35 * error / slope, 150.0), 450.0)
    return g, most, False


def accumulate(key, i, target, factor, nu_device, slow, tolerance, most, wait_s, reads, bits):
    """Conductance, iterations and success of a device in the "set" loop."""
    device, g = history(key, i), None
    for k in range(1, most + 1):
        if g is None:
            level, event = pair(draws(device, k - 1, _EVENT))
            g, p = 0.1 * math.exp(0.5 * level), 0
            low, nu = min(g, 0.1), abs(0.04 + 0.01 * math.sqrt(0.5) * (nu_device + event))
        p += 1
        memory = math.exp(-p / 2.6)
        mean, std = -0.084 * g + 0.88 + 1.4 * memory, 0.091 * g + 0.26 + 2.15 * memory
        g = min(max(g + mean * factor + std * pair(draws(device, k, _PULSE))[0], low), 20.0)
        error = look(draws(device, k, _READ), g, nu, slow, wait_s, reads, bits) - target
        if abs(error) <= tolerance:
            return g, k, True
        if error > tolerance and k < most:
            g = None
    return g, most, False
