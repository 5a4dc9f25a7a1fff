"""Reads of a long table on a grid: one row for each device and turn, one column for each time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

# Reads of different devices may be apart by this in ln t and still be reads at one time.
TOGETHER = 0.01
# Reads closer than this factor that no device has both of were meant to be one.
NEAR = 1.1
_MOST_CELLS = 200_000_000


@dataclass(frozen=True)
class Keys:
    """Rows of a grid: for each read its row, and for each row the read that it begins with."""

    row: np.ndarray
    first: np.ndarray

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.first.size)


def keys_of(columns: Sequence[np.ndarray]) -> Keys:
    """Rows of equal values in all `columns`, in order of appearance.

    >>> keys_of([np.array([5, 5, 2]), np.array([0, 1, 0])]).row
    array([0, 1, 2])
    """
    codes = np.zeros(columns[0].size, dtype=np.int64)
    for column in columns:
        further, names = pd.factorize(column)
        codes, _ = pd.factorize(codes * max(len(names), 1) + further)
    _, first = np.unique(codes, return_index=True)
    return Keys(np.asarray(codes, dtype=np.int64), np.asarray(first, dtype=np.int64))


def places(values: FloatArray, keys: Keys, what: str, where: str) -> tuple[FloatArray, np.ndarray]:
    """Grid of `values`, such as times, and the place of every read on it.

    Values that all rows share are the grid. Where rows differ slightly, those within 1 % are one
    place, at their median; missing reads leave their place empty. Raises `DataError` if they
    differ by more, up to 10 %; what is further apart are two places.

    >>> t_s = np.array([1.0, 10.0, 1.001, 10.02])
    >>> places(t_s, keys_of([np.array([0, 0, 1, 1])]), "t_s", "a.csv")[1]
    array([0, 1, 0, 1])
    """
    distinct, place = np.unique(values, return_inverse=True)
    if distinct.size == int(np.bincount(keys.row).max()):
        return distinct, np.asarray(place)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(distinct > 0.0, np.log(distinct), np.nan)
        starts = np.flatnonzero(~(np.diff(logs, prepend=np.nan) < TOGETHER))
    ends = np.append(starts[1:], distinct.size) - 1
    spread = np.nan_to_num(logs[ends] - logs[starts])
    worst = int(np.argmax(spread))
    if spread[worst] > TOGETHER:
        raise DataError(
            f"{where}: column {what}: reads between {distinct[starts[worst]]:g} and "
            f"{distinct[ends[worst]]:g} have no place on a grid; rows may differ by 1 % at most: "
            f"name a column with the nominal values, or leave out what is far off"
        )
    place = (np.searchsorted(starts, np.arange(distinct.size), side="right") - 1)[place]
    grid = np.asarray(pd.Series(values).groupby(place).median(), dtype=np.float64)
    _refuse_twins(grid, keys, place, f"{where}: column {what}")
    return grid, np.asarray(place)


def _refuse_twins(grid: FloatArray, keys: Keys, place: np.ndarray, where: str) -> None:
    """Places next to each other that no row has both of: one nominal value, met badly."""
    order = np.argsort(place, kind="stable")
    rows = np.split(keys.row[order], np.flatnonzero(np.diff(place[order])) + 1)
    for k in range(grid.size - 1):
        close = grid[k] > 0.0 and grid[k + 1] < NEAR * grid[k]
        if close and np.intersect1d(rows[k], rows[k + 1]).size == 0:
            raise DataError(
                f"{where}: some rows have a read at {grid[k]:g}, others at {grid[k + 1]:g}, none "
                f"both; rows may differ by 1 % at most: name a column with the nominal values"
            )


def steps(t_s: FloatArray, keys: Keys, where: str) -> tuple[float, np.ndarray]:
    """Interval between reads in a row [s], and the place of every read; lost reads leave gaps.

    Raises `DataError` if reads do not follow each other at one interval.

    >>> t_s = np.array([1.0, 1.5, 2.5])  # the third read is lost
    >>> steps(t_s, keys_of([np.zeros(3)]), "a.csv")
    (0.5, array([0, 1, 3]))
    """
    order = np.lexsort((t_s, keys.row))
    apart = np.diff(t_s[order], prepend=t_s[order][:1])
    same = np.diff(keys.row[order], prepend=-1) == 0
    interval = float(np.percentile(apart[same], 50, method="lower")) if same.any() else 0.0
    if not interval > 0.0:
        raise DataError(f"{where}: column t_s: no device was read twice at different times")
    count = np.where(same, np.round(apart / interval), 0.0)
    bad = np.flatnonzero(same & ((count < 1) | (np.abs(apart / interval - count) > 0.25)))
    if bad.size:
        raise DataError(
            f"{where}: column t_s: row {order[bad[0]] + 1} follows after {apart[bad[0]]:g} s, "
            f"reads usually after {interval:g} s; reads need one interval"
        )
    interval = float(apart[same].sum() / count[same].sum())
    total = np.cumsum(count)
    starts = np.flatnonzero(~same)
    total -= np.repeat(total[starts], np.diff(np.append(starts, total.size)))
    place = np.empty(t_s.size, dtype=np.int64)
    place[order] = np.minimum(total, _MOST_CELLS).astype(np.int64)
    return interval, place


def restarts(axis: FloatArray, device: np.ndarray) -> FloatArray:
    """How often the `axis` of a device has started again before each read, in table order.

    >>> restarts(np.array([1.0, 2.0, 1.0, 2.0, 2.0]), np.zeros(5))
    array([0., 0., 1., 1., 2.])
    """
    found = pd.Series(axis).groupby(device).diff() <= 0.0
    return np.asarray(found.groupby(device).cumsum(), dtype=np.float64)


def in_order(keys: Keys) -> np.ndarray:
    """Place of every read in the order of the table, from 0 in each row."""
    return np.asarray(pd.Series(keys.row).groupby(keys.row).cumcount(), dtype=np.int64)


def filled(g: FloatArray, keys: Keys, place: np.ndarray, length: int, where: str) -> FloatArray:
    """Grid (n, length) of the reads `g`, NaN where there is none.

    Raises `DataError` for two reads in one place, or a grid of more than 200 million cells.
    """
    if keys.n * length > _MOST_CELLS:
        raise DataError(
            f"{where}: {keys.n:,} rows of {length:,} reads; at most {_MOST_CELLS:,} cells: check "
            f"the columns of devices and times, or write HDF5"
        )
    flat = keys.row * length + place
    order = np.argsort(flat, kind="stable")
    same = np.flatnonzero(np.diff(flat[order]) == 0)
    if same.size:
        a, b = order[same[0]] + 1, order[same[0] + 1] + 1
        raise DataError(
            f"{where}: rows {a} and {b} are two reads in one place ({same.size} such pairs); name "
            f"a column that tells them apart"
        )
    grid = np.full((keys.n, length), np.nan)
    grid.ravel()[flat] = g
    return grid
