"""Standard normal draws, in single precision from a vectorised Box-Muller kernel.

numpy's own generator supplies the bits; its single-precision normals are two to three times
slower than the transform here, and they bound the speed of every noisy read.
"""

import math
from typing import Any

import numba
import numpy as np

from pcmsim.devices.laws import FloatArray

_f, _i, _u = np.float32, np.int32, np.uint32
_LN2, _SQRT_HALF_BITS = np.float32(math.log(2.0)), np.int32(0x3F3504F3)


def standard_normal(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: Any = np.float32
) -> FloatArray:
    """Independent N(0, 1) draws of the given shape.

    float32 draws have 24-bit radii, so none exceeds 5.9; float64 draws are numpy's.

    >>> from pcmsim.rng import stream
    >>> standard_normal(stream(0, "doc"), (2, 3)).shape
    (2, 3)
    """
    if np.dtype(dtype) != np.float32:
        return rng.standard_normal(shape, dtype=dtype)
    n = math.prod(shape)
    bits = rng.bit_generator.random_raw((n + 1) // 2)
    out = np.empty(2 * len(bits), dtype=np.float32)
    box_muller(bits.view(np.uint32), out)
    return out[:n].reshape(shape)


@numba.njit(inline="always")
def log_single(x: Any) -> Any:  # pragma: no cover - compiled
    """Natural logarithm of a positive single, to about 1e-7."""
    bits = np.float32(x).view(_i)
    exponent = _i(_i(bits - _SQRT_HALF_BITS) >> _i(23))
    m = _i(bits - _i(exponent << _i(23))).view(_f) - _f(1)
    s = m / (_f(2) + m)
    w = s * s
    p = _f(2 / 3) + w * (_f(2 / 5) + w * (_f(2 / 7) + w * _f(2 / 9)))
    return _f(exponent) * _LN2 + s * (_f(2) + w * p)


@numba.njit(inline="always")
def minus_log_uniform(word: Any) -> Any:  # pragma: no cover - compiled
    """-ln U, a unit exponential, of a uniform U from the upper 24 bits of a 32-bit word."""
    u = _f(_i(_u(word >> _u(8)))) * _f(2**-24) + _f(2**-25)
    return -log_single(u)


@numba.njit(inline="always")
def cos_turn(turn: Any) -> Any:  # pragma: no cover - compiled
    """Cosine of a signed 32-bit angle, 2^32 being a full turn: -sin 2π(|x| - 1/4), x in turns."""
    z = (abs(_f(turn) * _f(2**-32)) - _f(0.25)) * _f(2 * math.pi)
    w = z * z
    p = _f(1 / 120) + w * (_f(-1 / 5040) + w * (_f(1 / 362880) + w * _f(-1 / 39916800)))
    return -z * (_f(1) + w * (_f(-1 / 6) + w * p))


@numba.njit(inline="always")
def sin_turn(turn: Any) -> Any:  # pragma: no cover - compiled
    """Sine of a signed 32-bit angle: the cosine of the angle less a quarter turn."""
    return cos_turn(_i(turn - _i(1 << 30)))


# The numpy error model: the check for division by zero would keep the loop out of vector registers.
@numba.njit(fastmath=True, error_model="numpy", cache=True, nogil=True)
def box_muller(bits: np.ndarray, out: FloatArray) -> None:  # pragma: no cover - compiled
    """Fill `out` (even length) with normals: √(-2 ln u) cos θ and √(-2 ln u) sin θ.

    `bits` are as many random 32-bit words. Branch-free 32-bit arithmetic throughout, so that
    the compiler can use vector registers; the polynomials are exact to about 1e-7.
    """
    half = out.size // 2
    for i in range(half):
        r = np.sqrt(_f(2) * minus_log_uniform(bits[i]))
        turn = _i(bits[half + i])
        out[i] = r * cos_turn(turn)
        out[half + i] = r * sin_turn(turn)
