"""Signed weights as differential pairs of conductances, and tiles of a maximum size.

W_ij = s_j mean_p (G+_pij - G-_pij), with the scale s = w_max / g_max. A positive weight programs G+
and leaves G- in RESET, a negative one the other way round.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcmsim.config import Hardware
from pcmsim.devices import Values
from pcmsim.errors import UsageError

FloatArray = NDArray[Any]
# Squares of weights, and of their scale, must be numbers in single precision.
SMALLEST_WEIGHT, LARGEST_WEIGHT = 1e-12, 1e12


@dataclass(frozen=True)
class Tile:
    """Part of a matrix that one physical array holds: rows and columns, end excluded."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def index(self) -> tuple[slice, slice]:
        """Index of this part in the whole matrix."""
        return slice(*self.rows), slice(*self.columns)


def tiles(shape: tuple[int, int], max_rows: int, max_columns: int) -> tuple[Tile, ...]:
    """Cut a matrix into tiles of at most `max_rows` x `max_columns`, of sizes as equal as possible.

    >>> [tile.rows for tile in tiles((300, 88), 256, 256)]
    [(0, 150), (150, 300)]
    """
    return tuple(
        Tile(rows, columns)
        for rows in _cut(shape[0], max_rows)
        for columns in _cut(shape[1], max_columns)
    )


def weight_scale(weight: FloatArray, values: Values, hardware: Hardware) -> FloatArray:
    """Weight per microsiemens, one value per column: w_max / g_max.

    w_max is the largest |w| of the matrix or of each column (`hardware.scale`), or, with
    `hardware.clip_std` = c, c root mean squares of the weights if that is less: their standard
    deviation about zero, which is where pairs are centred.
    Raises `UsageError` if the weight is not a matrix of finite numbers.
    """
    check_weight(weight)
    axis = 0 if hardware.scale == "column" else None
    largest = np.max(np.abs(weight), axis=axis, keepdims=True)
    if hardware.clip_std is not None:
        largest = np.minimum(largest, hardware.clip_std * _rms(weight, axis))
    # An all-zero column has no scale of its own; any will do, for its devices all stay in RESET.
    largest = np.where(largest > 0.0, largest, max(float(np.max(largest)), SMALLEST_WEIGHT))
    return np.asarray(np.broadcast_to(largest / values.g_max, (1, weight.shape[1]))[0])


def pair_targets(
    weight: FloatArray, scale: FloatArray, g_max: float, pairs: int, dtype: type | None = None
) -> FloatArray:
    """Target conductances [µS], shape (2, pairs, rows, columns): G+ first, then G-.

    Weights beyond w_max are clipped to it. Of the type `dtype`, if given, else that of
    weight / scale.
    """
    signed = np.asarray(weight / scale)
    np.clip(signed, -g_max, g_max, out=signed)
    targets: FloatArray = np.empty((2, pairs, *signed.shape), dtype or signed.dtype)
    np.maximum(signed, 0.0, out=targets[0], casting="same_kind")
    np.negative(signed, out=signed)
    np.maximum(signed, 0.0, out=targets[1], casting="same_kind")
    return targets


def pair_difference(g: FloatArray) -> FloatArray:
    """mean_p (G+ - G-) [µS] of conductances of shape (2, pairs, rows, columns)."""
    if g.shape[1] == 1:
        return np.asarray(g[0, 0] - g[1, 0])
    return np.asarray(np.mean(g[0] - g[1], axis=0, dtype=g.dtype))


def pair_variance(variance: FloatArray) -> FloatArray:
    """Variance of the mean pair difference, from independent device variances of the same shape."""
    return np.asarray(np.sum(variance, axis=(0, 1), dtype=variance.dtype) / variance.shape[1] ** 2)


def check_weight(weight: FloatArray, name: str = "weight") -> None:
    """Refuse anything but a non-empty matrix of finite numbers, before any device is touched."""
    if weight.ndim != 2 or weight.size == 0:
        raise UsageError(f"{name} must be a matrix (inputs, outputs); got shape {weight.shape}")
    if not np.all(np.isfinite(weight)):
        row, column = np.argwhere(~np.isfinite(weight))[0]
        raise UsageError(
            f"{name}[{row}, {column}] = {weight[row, column]:g}; weights must be finite numbers: "
            f"train again with a lower learning rate"
        )
    largest = float(np.max(np.abs(weight)))
    if largest > LARGEST_WEIGHT or 0.0 < largest < SMALLEST_WEIGHT:
        raise UsageError(
            f"the largest weight of {name} is {largest:g}; single precision wants it between "
            f"{SMALLEST_WEIGHT:g} and {LARGEST_WEIGHT:g}: scale the matrix"
        )


def _rms(weight: FloatArray, axis: int | None) -> FloatArray:
    return np.asarray(np.sqrt(np.mean(weight**2, axis=axis, keepdims=True)))


def _cut(length: int, largest: int) -> list[tuple[int, int]]:
    n = -(-length // largest)
    edges = np.linspace(0, length, n + 1).round().astype(int)
    return [(int(a), int(b)) for a, b in itertools.pairwise(edges)]
