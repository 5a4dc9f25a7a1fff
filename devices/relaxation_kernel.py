"""The compiled loop behind `pcmsim.devices.relaxation`: Gaussian paths in logarithmic time."""

import numpy as np

from pcmsim.devices.kernels import compiled, mix, mode_of
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.normals import cos_turn, minus_log_uniform, sin_turn

# Knots of a path lie this far apart in ln(1 + t/memory): a quarter of a decade of time.
_STEP = 0.25 * np.log(10.0)
_f, _i, _u64 = np.float32, np.int32, np.uint64


@compiled
def paths(
    keys: np.ndarray, x: FloatArray, persistence: float, out: FloatArray
) -> None:  # pragma: no cover - compiled
    """Fill `out` with √p W(x²)/x + √(1-p) E(x) of each device.

    W is a Brownian motion that is known at knots; between two it is their line and a bridge of its
    own height, which has the right variance everywhere. E turns from the draw of one knot into
    that of the next, cos² + sin² = 1. All come from a hash of (device, knot). Zero for x = 0.
    """
    remembered, forgotten = np.sqrt(persistence), np.sqrt(1.0 - persistence)
    for i in range(keys.size):
        if x[i] <= 0.0:
            out[i] = 0.0
            continue
        device = mix(keys[i])
        last = int(x[i] / _STEP)
        walk, before, after = 0.0, 0.0, 0.0
        for k in range(last + 2):
            word = mix(mode_of(device, k))
            radius = np.sqrt(_f(2) * minus_log_uniform(np.uint32(word >> _u64(32))))
            turn = _i(np.uint32(word & _u64(0xFFFFFFFF)))
            variance = (2 * k + 1) * _STEP * _STEP
            if k < last:
                walk += np.sqrt(variance) * radius * cos_turn(turn)
            elif k == last:
                share = (x[i] * x[i] - k * k * _STEP * _STEP) / variance
                share = min(max(share, 0.0), 1.0)
                walk += share * np.sqrt(variance) * radius * cos_turn(turn)
                before = radius * sin_turn(turn)
                word = mix(word)
                radius = np.sqrt(_f(2) * minus_log_uniform(np.uint32(word >> _u64(32))))
                turn = _i(np.uint32(word & _u64(0xFFFFFFFF)))
                walk += np.sqrt(share * (1.0 - share) * variance) * radius * cos_turn(turn)
            else:
                after = radius * sin_turn(turn)
        angle = 0.5 * np.pi * (x[i] / _STEP - last)
        fresh = np.cos(angle) * before + np.sin(angle) * after
        out[i] = remembered * walk / x[i] + forgotten * fresh
