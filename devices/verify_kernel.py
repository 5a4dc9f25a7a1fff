"""The closed loop of each device, compiled; its readable twin stands beside the tests.

A device goes through all its iterations before the next begins. Its draws are hashes of
(key, device, iteration, purpose) and no sequence, so no device feels how long another takes.
"""

import math
from typing import Any, NamedTuple

import numba
import numpy as np

from pcmsim.devices.kernels import history, mix
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.normals import cos_turn, minus_log_uniform, sin_turn

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_PULSE, _EVENT, _READ = np.uint64(1), np.uint64(2), np.uint64(3)


class Loop(NamedTuple):
    """What both loops need; `q` and `std` are tables over the conductance, `cells_per_us` fine."""

    tolerance: float  # [µS]
    most: int  # iterations
    reads: int  # averaged in each iteration
    step: float  # of the converter [µS]; 0 for none
    top_code: float
    log_age: float  # ln(age / t0) at the verify read
    device_share: float  # √ρ of the exponent
    event_share: float  # √(1 - ρ)
    projection: float
    cells_per_us: float
    q: FloatArray  # relative amplitude Q of the read noise [1]
    std: FloatArray  # of one read [µS]
    nu_mean: FloatArray  # of a melted device [1]
    nu_std: FloatArray


class Melting(NamedTuple):
    """The melting curve, and how the loop corrects."""

    top: float  # [µS]
    half: float  # [µA]
    width: float
    device: float
    cycle: float
    noise: float  # [µS]
    low: float  # [µA]
    high: float
    gain: float


class Setting(NamedTuple):
    """SET pulses and the RESET they start from; `law` as `Accumulation.coefficients`."""

    law: tuple[float, ...]
    low: float  # [µS]
    high: float
    nu_mean: float
    nu_std: float
    reset_median: float  # [µS]
    reset_log_std: float


class Found(NamedTuple):
    """What the loops write, an entry for each device they are given."""

    g: FloatArray
    event: FloatArray
    iterations: np.ndarray
    sets: np.ndarray
    set_pulses: np.ndarray
    resets: np.ndarray
    converged: np.ndarray


@numba.njit(error_model="numpy")
def pair(h: Any) -> Any:  # pragma: no cover - compiled
    """Two N(0, 1) from a hash (Box and Muller)."""
    radius = math.sqrt(2.0 * minus_log_uniform(np.uint32(h >> _HALF)))
    turn = np.int32(np.uint32(h & _LOW))
    return radius * cos_turn(turn), radius * sin_turn(turn)


@numba.njit(error_model="numpy")
def draws(device: Any, iteration: int, purpose: Any) -> Any:  # pragma: no cover - compiled
    """Hash of one purpose in one iteration of a device."""
    return mix(mix(device + _GOLDEN * np.uint64(iteration + 1)) + _GOLDEN * purpose)


@numba.njit(error_model="numpy")
def entry(table: Any, x: float) -> Any:  # pragma: no cover - compiled
    """Entry of a table at position x, straight between its points, constant beyond them."""
    x = min(max(x, 0.0), table.size - 1.0)
    i = min(int(x), table.size - 2)
    return table[i] + (x - i) * (table[i + 1] - table[i])


@numba.njit(error_model="numpy")
def look(h: Any, g: float, nu: float, slow: float, loop: Any) -> Any:  # pragma: no cover
    """What the loop sees of a conductance `g` [µS at t0]: drifted, noisy, converted, averaged."""
    x = g * loop.cells_per_us
    drift = math.exp(-nu * loop.log_age)
    level, std = drift * g * (1.0 + entry(loop.q, x) * slow), drift * entry(loop.std, x)
    if loop.step == 0.0:
        z, _ = pair(h)
        return max(0.0, level + std / math.sqrt(loop.reads) * z)
    total = 0.0
    for m in range(loop.reads):
        z, _ = pair(mix(h + _GOLDEN * np.uint64(m)))
        code = math.floor((level + std * z) / loop.step + 0.5)
        total += min(max(code, 0.0), loop.top_code)
    return total * loop.step / loop.reads


@numba.njit(cache=True, nogil=True, error_model="numpy")
def melt_loop(
    key: Any,
    at: np.ndarray,
    target: FloatArray,
    current: FloatArray,
    shift: FloatArray,
    nu_device: FloatArray,
    slow: FloatArray,
    loop: Any,
    melting: Any,
    found: Any,
) -> None:  # pragma: no cover - compiled
    """Melting pulses, starting from `current` [µA], corrected by the error of each read."""
    for j in range(at.size):
        device, i = history(key, at[j]), current[j]
        middle = melting.half + melting.device * shift[j]
        slope = -target[j] * (1.0 - target[j] / melting.top) / melting.width
        g = event = 0.0
        k, done = 0, False
        while k < loop.most and not done:
            k += 1
            cycle, noise = pair(draws(device, k, _PULSE))
            f = melting.top / (1.0 + math.exp((i - middle) / melting.width))
            g = max(0.0, f * math.exp(melting.cycle * cycle) + melting.noise * noise)
            event, _ = pair(draws(device, k, _EVENT))
            spread = loop.device_share * nu_device[j] + loop.event_share * event
            # The law holds up to g_max, where its tables end.
            x = g * loop.cells_per_us
            nu = abs(entry(loop.nu_mean, x) + entry(loop.nu_std, x) * spread) * loop.projection
            error = look(draws(device, k, _READ), g, nu, slow[j], loop) - target[j]
            done = abs(error) <= loop.tolerance
            i = min(max(i - melting.gain * error / slope, melting.low), melting.high)
        found.g[j], found.event[j], found.converged[j] = g, event, done
        found.iterations[j] = found.resets[j] = k


@numba.njit(cache=True, nogil=True, error_model="numpy")
def set_loop(
    key: Any,
    at: np.ndarray,
    target: FloatArray,
    factor: FloatArray,
    nu_device: FloatArray,
    slow: FloatArray,
    loop: Any,
    setting: Any,
    found: Any,
) -> None:  # pragma: no cover - compiled
    """SET pulses from RESET upwards; whoever overshoots is RESET and starts again."""
    m1, c1, a1, b, rate, m2, c2, a2, s, alpha = setting.law
    for j in range(at.size):
        device = history(key, at[j])
        g = event = nu = low = high = 0.0
        k, p, resets, done, blank = 0, 0, 0, False, True
        while k < loop.most and not done:
            if blank:
                level, event = pair(draws(device, k, _EVENT))
                g = setting.reset_median * math.exp(setting.reset_log_std * level)
                low, high = min(g, setting.low), max(g, setting.high)
                spread = loop.device_share * nu_device[j] + loop.event_share * event
                nu = abs(setting.nu_mean + setting.nu_std * spread) * loop.projection
                resets, p = resets + 1, 0
            k, p = k + 1, p + 1
            memory = math.exp(-p / alpha)
            mean = m1 * g + c1 + a1 * memory + b * math.exp(-rate * g)
            std = max(0.0, m2 * g + c2 + a2 * memory + s * mean)
            xi, _ = pair(draws(device, k, _PULSE))
            g = min(max(g + mean * factor[j] + std * xi, low), high)
            error = look(draws(device, k, _READ), g, nu, slow[j], loop) - target[j]
            done, blank = abs(error) <= loop.tolerance, error > loop.tolerance
        found.g[j], found.event[j], found.converged[j] = g, event, done
        found.iterations[j] = found.set_pulses[j] = k
        found.resets[j], found.sets[j] = resets, p


@numba.njit(cache=True, nogil=True, error_model="numpy")
def reset_draws(
    key: Any, at: np.ndarray, level: FloatArray, event: FloatArray
) -> None:  # pragma: no cover - compiled
    """N(0, 1) draws of one RESET of each device: of its level, and of its share of the exponent."""
    for j in range(at.size):
        level[j], event[j] = pair(draws(history(key, at[j]), 0, _EVENT))
