"""Drift of devices that were written at different times, compiled; `drifted` is its slow twin."""

import math
from typing import Any

import numba
import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.normals import log_single

_f, _i = np.float32, np.int32
_LOG2_E, _LN_2, _HALF = _f(1.0 / math.log(2.0)), _f(math.log(2.0)), _f(0.5)
# Beyond these exp leaves the normal numbers of single precision.
_LOWEST, _HIGHEST = _f(-87.0), _f(88.0)
_C0, _C1, _C2, _C3, _C4, _C5, _C6, _C7 = (_f(1.0 / math.factorial(k)) for k in range(8))


@numba.njit(inline="always")
def exp_single(x: Any) -> Any:  # pragma: no cover - compiled
    """Return exp(x) of a single, to about 1e-7: a power of two times a Taylor polynomial."""
    x = min(max(_f(x), _LOWEST), _HIGHEST)
    n = np.floor(x * _LOG2_E + _HALF)
    r = x - n * _LN_2
    tail = _C4 + r * (_C5 + r * (_C6 + r * _C7))
    mantissa = _C0 + r * (_C1 + r * (_C2 + r * (_C3 + r * tail)))
    return mantissa * _i((_i(n) + _i(127)) << _i(23)).view(_f)


@numba.njit(fastmath=True, error_model="numpy", cache=True, nogil=True)
def drift_since(
    g: FloatArray,
    nu: FloatArray,
    written_at_s: FloatArray,
    now_s: float,
    offset_s: float,
    least_s: float,
    t0_s: float,
    out: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Fill `out` with g (age / t0)^-ν, age = max(now - written + offset, least), in single."""
    per_t0 = 1.0 / t0_s
    for i in range(out.size):
        age = max(now_s - written_at_s[i] + offset_s, least_s)
        out[i] = g[i] * exp_single(-nu[i] * log_single(_f(age * per_t0)))
