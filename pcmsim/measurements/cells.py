"""Cells of a table as numbers; a cell that is none is named with its column and row."""

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

# Spellings of a missing sample; in upper and lower case, see `_missing`.
MISSING = ("", "NaN", "nan", "NAN", "NA", "N/A", "n/a", "#N/A", "null", "NULL", "None", "-", "--")
_WHOLE = re.compile(r"([+-]?\d{1,15})(\.0*)?")
_WORDS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


def numbers(
    cells: pd.Series, where: str, comma: bool = False, missing: Collection[str] = ()
) -> FloatArray:
    """Cells as floats, NaN where missing; the index counts the rows of the table from 0.

    True and yes are 1, false and no are 0. Raises `DataError` for text and for numbers that are
    not finite.

    >>> numbers(pd.Series(["1.5", "n/a", " yes"]), "a.csv: column g")
    array([1.5, nan, 1. ])
    """
    if cells.dtype.kind in "iufb":
        values = cells.to_numpy(dtype=np.float64)
        absent = np.isnan(values)
    else:
        text = _text(cells)
        absent = _missing(text, missing)
        plain = text.str.replace(",", ".", regex=False) if comma else text
        plain = plain.str.lower().replace(_WORDS)
        values = pd.to_numeric(plain.where(~absent), errors="coerce").to_numpy(dtype=np.float64)
        _refuse(~absent & np.isnan(values), text, where)
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        at = int(infinite[0])
        raise DataError(f"{where}: {row(cells, at)}: {cells.iloc[at]} is not a finite number")
    return np.where(absent, np.nan, values)


def words(
    cells: pd.Series, where: str, table: dict[str, float], missing: Collection[str] = ()
) -> FloatArray:
    """Cells as the numbers that `table` gives for their words; raises `DataError` for others.

    >>> words(pd.Series(["ok", 7]), "a.csv: column state", {"ok": 0.0, "7": 2.0})
    array([0., 2.])
    """
    text = _text(cells)
    known = np.asarray(text.isin(list(table)), dtype=bool)
    bad = np.flatnonzero(~known & ~_missing(text, missing))
    if bad.size:
        at = int(bad[0])
        raise DataError(
            f"{where}: {row(cells, at)}: {text.iloc[at]!r:.40} is not in the table of the column "
            f"map, which has {', '.join(table):.200}"
        )
    return np.asarray(text.map(table), dtype=np.float64)


class Labels:
    """Numbers of devices, whose labels come in pieces.

    >>> found = Labels()
    >>> found.add(pd.Series(["A1", "B7"]), "a.csv: column addr")
    >>> found.add(pd.Series(["A1"]), "a.csv: column addr")
    >>> found.device()
    array([0, 1, 0])
    """

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._codes: list[np.ndarray] = []

    def add(self, cells: pd.Series, where: str) -> None:
        """Take further labels; raises `DataError` for a missing one."""
        text = _text(cells)
        absent = np.flatnonzero(_missing(text, ()))
        if absent.size:
            at = row(cells, int(absent[0]))
            raise DataError(f"{where}: {at}: the device is missing; fill it in")
        codes, names = pd.factorize(text)
        numbers = [self._names.setdefault(str(name), len(self._names)) for name in names]
        self._codes.append(np.array(numbers, dtype=np.int64)[codes])

    def device(self) -> np.ndarray:
        """The labels themselves if all are whole numbers, else numbers in order of appearance."""
        codes = np.concatenate(self._codes)
        whole = [_WHOLE.fullmatch(name) for name in self._names]
        numbers = np.array([int(match[1]) for match in whole if match], dtype=np.int64)
        # Labels such as 7 and 007 are two devices.
        return numbers[codes] if np.unique(numbers).size == len(whole) else codes


def row(cells: pd.Series, at: int) -> str:
    """Row of a cell as people count it, from 1 below the header.

    >>> row(pd.Series([7.0, 8.0]), 1)
    'row 2'
    """
    return f"row {int(cells.index[at]) + 1}"


def _text(cells: pd.Series) -> Any:
    return cells.astype(object).where(cells.notna(), "").astype(str).str.strip()


def _missing(text: Any, more: Collection[str]) -> np.ndarray:
    known = {spelling.lower() for spelling in (*MISSING, *more)}
    return np.asarray(text.str.lower().isin(known), dtype=bool)


def _refuse(bad: np.ndarray, text: Any, where: str) -> None:
    at = np.flatnonzero(bad)
    if at.size:
        value = str(text.iloc[at[0]])
        hint = "; is it decimal: comma?" if re.fullmatch(r"[-+]?\d+,\d+", value) else ""
        more = f" (and {at.size - 1} more)" if at.size > 1 else ""
        where = f"{where}: {row(text, int(at[0]))}"
        raise DataError(f"{where}: {value!r:.40} is no number{hint}{more}")
