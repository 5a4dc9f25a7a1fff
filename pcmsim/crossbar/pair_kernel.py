"""What a look at an array of single pairs shows, in one pass; `Sight` has its plain twin."""

from typing import Any

import numba


@numba.njit(fastmath=True, error_model="numpy", cache=True, nogil=True)
def shown_pairs(
    g: Any, q: Any, n: Any, fast: Any, scale: Any, std: Any, weight: Any, variance: Any
) -> None:  # pragma: no cover - compiled
    """Add the slow noise to `g` (2, rows, columns) in place and fill what a read then shows.

    g ← max(0, g (1 + q n)); std = g q fast; weight = s (g+ - g-); variance = s² (std+² + std-²).
    """
    zero, one = g.dtype.type(0), g.dtype.type(1)
    rows, columns = weight.shape
    for i in range(rows):
        for j in range(columns):
            plus = max(g[0, i, j] * (one + q[0, i, j] * n[0, i, j]), zero)
            minus = max(g[1, i, j] * (one + q[1, i, j] * n[1, i, j]), zero)
            a, b = plus * q[0, i, j] * fast, minus * q[1, i, j] * fast
            g[0, i, j], g[1, i, j], std[0, i, j], std[1, i, j] = plus, minus, a, b
            weight[i, j] = (plus - minus) * scale[j]
            variance[i, j] = (a * a + b * b) * scale[j] * scale[j]
