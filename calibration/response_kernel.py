"""Log likelihood of ramps by an extended Kalman filter, compiled.

The state is the conductance x before the reads and the device's factor F on the mean increment:
x ← x + F μ_p(x) + σ_p(x) ξ, y = x + σ_r ε. For increments linear in x and F = 1 the filter is the
exact likelihood; read noise stays out of the increments, and out of what they are regressed on.
Kalman, J. Basic Eng. 82, 35 (1960), doi:10.1115/1.3662552. Beyond four standard deviations of
prediction the normal law is continued by z^-16, so that what a read says about a spread is bounded.
"""

import math
from typing import Any

import numpy as np

from pcmsim.devices.kernels import compiled
from pcmsim.devices.laws import FloatArray

# Standard deviations of prediction from which the likelihood falls as a power: a jump of a device
# must not decide about its law. One normal read in 16,000 lies beyond.
BEYOND = 4.0
_LOG_TURN = math.log(2.0 * math.pi)


@compiled
def _increment(law: Any, x: float, pulse: float) -> Any:  # pragma: no cover - compiled
    """μ, dμ/dx and σ of one pulse, by the coefficients of `Accumulation.coefficients`."""
    m1, c1, a1, b, k, m2, c2, a2, s, alpha = law
    memory = math.exp(-pulse / alpha)
    bend = b * math.exp(min(-k * x, 600.0)) if b != 0.0 else 0.0
    mean = m1 * x + c1 + a1 * memory + bend
    return mean, m1 - k * bend, m2 * x + c2 + a2 * memory + s * mean


@compiled
def filtered(
    g: FloatArray,
    new_device: np.ndarray,
    law: tuple[float, ...],
    read_std: float,
    device_std: float,
) -> tuple[FloatArray, FloatArray]:  # pragma: no cover - compiled
    """Log likelihood of the reads after each pulse, and the standardised first of them (n, p + 1).

    `g` (n, p + 1, r) [µS] holds ramps of a device one after another, NaN where a read is missing;
    `new_device` (n,) is 1 where a device begins. The first read of a ramp has no likelihood: it is
    where the ramp starts from. `read_std` [µS] is above 0; ln F ~ N(0, device_std).
    """
    n, steps, reads = g.shape
    gain, off = np.zeros((n, steps)), np.full((n, steps), np.nan)
    noise = read_std * read_std
    wide = math.exp(device_std * device_std)
    f, p11 = math.sqrt(wide), (wide - 1.0) * wide
    for i in range(n):
        if new_device[i]:
            f, p11 = math.sqrt(wide), (wide - 1.0) * wide
        x, p00, p01, begun = 0.0, 0.0, 0.0, False
        for step in range(steps):
            if begun:
                mean, slope, std = _increment(law, x, float(step))
                a = 1.0 + f * slope
                std = max(std, 1e-3 * read_std)
                p00 = a * a * p00 + 2.0 * a * mean * p01 + mean * mean * p11 + std * std
                p01 = a * p01 + mean * p11
                x += f * mean
            first = True
            for read in range(reads):
                y = g[i, step, read]
                if math.isnan(y):
                    continue
                if not begun:
                    x, p00, p01, begun, first = y, noise, 0.0, True, False
                    continue
                total = p00 + noise
                e = y - x
                z = e / math.sqrt(total)
                excess = 2.0 * math.log(max(abs(z) / BEYOND, 1.0))
                square = min(z * z, BEYOND * BEYOND) + BEYOND * BEYOND * excess
                gain[i, step] -= 0.5 * (_LOG_TURN + math.log(total) + square)
                if first:
                    off[i, step], first = z, False
                k0, k1 = p00 / total, p01 / total
                x += k0 * e
                f += k1 * e
                p11 -= k1 * p01
                p01 -= k1 * p00
                p00 -= k0 * p00
    return gain, off
