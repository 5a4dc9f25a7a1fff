"""Tables of a lab as quantities in units of the records, one entry for each read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pcmsim.errors import DataError, UsageError
from pcmsim.measurements.cells import Labels, numbers, words
from pcmsim.measurements.columns import VOLTAGES, Column, ColumnMap
from pcmsim.measurements.opening import Opened, open_table
from pcmsim.measurements.quantities import check_quantity, quantity_of, unit_of


@dataclass(frozen=True)
class Table:
    """Quantities of a table, one entry for each read: device whole numbers, the rest floats.

    `amplitude_unit` is "uA" or "V".
    """

    where: str
    given: dict[str, np.ndarray]
    amplitude_unit: str


def load_table(path: Path, columns: ColumnMap) -> Table:
    """Read what the map names, long or wide; rows that are empty in all these columns are skipped.

    Raises `DataError` that names file, column and row.
    """
    opened = open_table(Path(path), columns)
    units = _units(opened, columns)
    found = _collect(opened, columns, units)
    if not found:
        raise UsageError(f"{path}: the column map names no column of the table")
    if columns.layout == "wide":
        found = _unfolded(found, len(opened.traces), columns.traces.each)
    n = next(iter(found.values())).size
    if n == 0:
        raise DataError(f"{path}: every row is empty in the columns of the map")
    for quantity, column in columns.given().items():
        if column.value is not None:
            where = f"{path}: columns.{quantity}.value"
            unit = units.get(quantity, "")
            found[quantity] = _constant(column, quantity, unit, n, len(opened.traces), where)
    return Table(str(path), found, "V" if units.get("amplitude") in VOLTAGES else "uA")


def _units(opened: Opened, columns: ColumnMap) -> dict[str, str]:
    units = {}
    for quantity, column in columns.given().items():
        if quantity != "device":
            at = opened.place.get(quantity)
            heading = "" if at is None else opened.heading(at)
            units[quantity] = unit_of(quantity, column, heading, str(opened.path))
    return units


def _collect(opened: Opened, columns: ColumnMap, units: dict[str, str]) -> dict[str, np.ndarray]:
    """Named columns (n,), and g of a wide table (n, traces)."""
    labels, wide = Labels(), list[np.ndarray]()
    parts: dict[str, list[np.ndarray]] = {quantity: [] for quantity in opened.place}
    used = sorted({*opened.place.values(), *opened.traces})
    for piece in opened.pieces:
        _refuse_surplus(piece, opened)
        # An empty row of a wide table is a step at which nothing was read.
        frame = piece if opened.traces else piece[~piece[used].isna().all(axis=1)]
        for quantity, at in opened.place.items():
            if quantity == "device":
                labels.add(frame[at], f"{opened.path}: column {opened.heading(at):.60}")
            else:
                parts[quantity].append(_values(frame, at, quantity, opened, columns, units))
        if opened.traces:
            given = [_values(frame, at, "g", opened, columns, units) for at in opened.traces]
            wide.append(np.stack(given, axis=1))
    found: dict[str, np.ndarray] = {
        quantity: np.concatenate(pieces) for quantity, pieces in parts.items() if pieces
    }
    found |= {"device": labels.device()} if "device" in opened.place else {}
    return found | ({"g": np.concatenate(wide)} if wide else {})


def _values(
    frame: pd.DataFrame,
    at: int,
    quantity: str,
    opened: Opened,
    columns: ColumnMap,
    units: dict[str, str],
) -> np.ndarray:
    column, where = columns.given()[quantity], f"{opened.path}: column {opened.heading(at):.60}"
    if column.table is not None:
        raw = words(frame[at], where, column.table, columns.missing)
    else:
        raw = numbers(frame[at], where, columns.decimal == "comma", columns.missing)
    values = quantity_of(raw, column, units[quantity])
    check_quantity(pd.Series(values, index=frame.index), quantity, where)
    return values


def _refuse_surplus(piece: pd.DataFrame, opened: Opened) -> None:
    """Columns beyond the headings may be empty, as after a separator at the end of each line."""
    for number in range(len(opened.headings), piece.shape[1] if opened.headings else 0):
        surplus = np.flatnonzero(piece[number].notna())
        if surplus.size:
            raise DataError(
                f"{opened.path}: row {int(piece.index[surplus[0]]) + 1} has a value in column "
                f"{number}, but there are {len(opened.headings)} headings; check separator, "
                f"decimal and skip"
            )


def _unfolded(found: dict[str, np.ndarray], traces: int, each: str) -> dict[str, np.ndarray]:
    """A wide table as a long one, trace by trace."""
    rows = found["g"].shape[0]
    long = {name: np.tile(values, traces) for name, values in found.items() if name != "g"}
    return long | {"g": found["g"].T.ravel(), each: np.repeat(np.arange(traces), rows)}


def _constant(
    column: Column, quantity: str, unit: str, n: int, traces: int, where: str
) -> np.ndarray:
    """The value of a map for all reads, or one for each trace of a wide table."""
    value: Any = column.value
    if quantity == "device":
        if isinstance(value, tuple) or (not isinstance(value, str) and value % 1):
            raise UsageError(f"{where} must be one whole number or name")
        return np.full(n, 0 if isinstance(value, str) else int(value), dtype=np.int64)
    if isinstance(value, str):
        raise UsageError(f"{where} = {value!r:.40} must be a number")
    if isinstance(value, tuple) and len(value) != traces:
        raise UsageError(
            f"{where} has {len(value)} numbers for {traces} traces; write one for each trace of a "
            f"wide table, or one for all"
        )
    converted = quantity_of(np.atleast_1d(np.asarray(value, np.float64)), column, unit)
    check_quantity(pd.Series(converted), quantity, where)
    return np.repeat(converted, n // converted.size)
