"""The noisy product of an array, exact and fast.

Each device adds its own Gaussian noise to every read. A column sums them, so its output is
Gaussian with variance Σ_i x_i² Var_ij exactly: one draw per output replaces one per device.
(Negative excursions of single devices are kept, as the average over a column keeps them.)
"""

from typing import Any

import numba
import numpy as np

from pcmsim.crossbar.mapping import FloatArray
from pcmsim.devices.normals import cos_turn, minus_log_uniform, sin_turn

_TWO = np.float32(2.0)


def noisy_product(
    x: FloatArray, weight: FloatArray, variance: FloatArray | None, rng: np.random.Generator
) -> FloatArray:
    """y = x W + ξ √(x² V): product with fresh noise for every row of `x`.

    Shapes: x (batch, rows), weight and variance (rows, columns); `variance` is that of each
    weight in one read, None for a noiseless read.
    """
    y = x @ weight
    if variance is None:
        return y
    power = (x * x) @ variance
    if y.dtype == np.float32:
        words = rng.bit_generator.random_raw(y.size // 2 + 1)
        add_noise(words.view(np.uint32), power.ravel(), y.ravel())
        return y
    return np.asarray(y + np.sqrt(power) * rng.standard_normal(y.shape))


@numba.njit(fastmath=True, error_model="numpy", cache=True, nogil=True)
def add_noise(bits: Any, variance: Any, out: Any) -> None:  # pragma: no cover - compiled
    """Add N(0, variance) to each single of `out`, from at least as many random 32-bit words."""
    half = out.size // 2
    for i in range(half):
        r, turn = np.sqrt(_TWO * minus_log_uniform(bits[i])), np.int32(bits[half + i])
        out[i] += np.sqrt(variance[i]) * r * cos_turn(turn)
        out[half + i] += np.sqrt(variance[half + i]) * r * sin_turn(turn)
    if out.size % 2:
        r = np.sqrt(_TWO * minus_log_uniform(bits[-2]))
        out[-1] += np.sqrt(variance[-1]) * r * cos_turn(np.int32(bits[-1]))
