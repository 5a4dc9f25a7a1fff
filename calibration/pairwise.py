"""Means and covariances of incomplete vectors of reads, as sums that add up over parts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError


@dataclass(frozen=True)
class Pairwise:
    """Sums over rows, pair of columns by pair of columns; a missing read leaves out its pairs.

    n               rows
    origin          what was subtracted from the reads, against rounding
    totals          sum of column j over rows that have column k as well (p, p)
    products        sum of products of columns j and k (p, p)
    pairs           rows that have both (p, p)
    """

    n: int
    origin: float
    totals: FloatArray
    products: FloatArray
    pairs: FloatArray

    def __add__(self, other: "Pairwise") -> "Pairwise":
        """Sums over the rows of both; they must share the origin."""
        if self.origin != other.origin or self.pairs.shape != other.pairs.shape:
            raise DataError("sums of different measurements cannot be added")
        return Pairwise(
            self.n + other.n,
            self.origin,
            self.totals + other.totals,
            self.products + other.products,
            self.pairs + other.pairs,
        )

    def check(self) -> None:
        """Raise `DataError` if two columns are never present together."""
        if not np.all(self.pairs > 0):
            j, k = np.argwhere(self.pairs <= 0)[0]
            raise DataError(
                f"no device has both read {j + 1} and read {k + 1}; their covariance is unknown: "
                f"leave out the times that are mostly missing"
            )

    @cached_property
    def mean(self) -> FloatArray:
        """Mean of each column over the rows that have it (p,)."""
        return np.asarray(self.origin + np.diag(self.totals) / np.diag(self.pairs))

    @cached_property
    def covariance(self) -> FloatArray:
        """Mean product of the deviations from `mean`, over rows that have both columns (p, p)."""
        shift = self.mean - self.origin
        total = self.products - self.totals * shift - self.totals.T * shift[:, None]
        return np.asarray(total / self.pairs + np.outer(shift, shift))

    @property
    def present_share(self) -> FloatArray:
        """Share of the rows that have each column (p,)."""
        return np.asarray(np.diag(self.pairs) / self.n)

    @property
    def pair_share(self) -> FloatArray:
        """Share of the rows that have both columns (p, p)."""
        return np.asarray(self.pairs / self.n)


def pairwise(rows: FloatArray, origin: float | None = None) -> Pairwise:
    """Sums of the rows (n, p); NaN marks a missing read.

    `origin` should lie among the reads: the mean of all, unless given.

    >>> sums = pairwise(np.array([[1.0, 2.0], [3.0, np.nan], [2.0, 4.0]]))
    >>> sums.mean, float(sums.pair_share[0, 1].round(3))
    (array([2., 3.]), 0.667)
    """
    rows = np.asarray(rows, dtype=np.float64)
    missing = np.isnan(rows)
    if origin is None:
        origin = float(np.nanmean(rows)) if rows.size and not missing.all() else 0.0
    present = (~missing).astype(np.float64)
    off = np.where(missing, 0.0, rows - origin)
    pairs = present.T @ present
    return Pairwise(rows.shape[0], origin, off.T @ present, off.T @ off, pairs)
