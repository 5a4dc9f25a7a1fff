"""Opening a table of a lab: its headings, and where the columns of the map stand."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pcmsim.errors import DataError, UsageError
from pcmsim.measurements.columns import ColumnMap
from pcmsim.measurements.sheet import sheet_frame
from pcmsim.measurements.text_table import frames, scan

SHEETS = (".xlsx",)
TEXTS = (".csv", ".tsv", ".txt", ".dat", ".gz")


@dataclass(frozen=True)
class Opened:
    """Pieces of a table, its headings, and where the quantities stand; `traces` if it is wide."""

    path: Path
    headings: tuple[str, ...]
    pieces: Iterable[pd.DataFrame]
    place: dict[str, int]
    traces: tuple[int, ...]

    def heading(self, number: int) -> str:
        """Heading of a column, or its number."""
        return self.headings[number] if number < len(self.headings) else str(number)


def open_table(path: Path, columns: ColumnMap) -> Opened:
    """Find the columns of the map; raises `DataError` for those that are not there."""
    if path.suffix in SHEETS:
        return _open_sheet(path, columns)
    if path.suffix not in TEXTS:
        known = ", ".join((*TEXTS, *SHEETS))
        raise UsageError(f"{path}: tables end in {known}; save it as one of them")
    return _open_text(path, columns)


def _open_text(path: Path, columns: ColumnMap) -> Opened:
    found = scan(path, columns)
    headings = found.header or ()
    place = _places(columns, headings, found.width, path)
    texts = [
        place[quantity]
        for quantity, column in columns.given().items()
        if quantity in place and (quantity == "device" or column.table is not None)
    ]
    traces = _traces(columns, place, headings, found.width, path)
    return Opened(path, headings, frames(path, columns, found, texts), place, traces)


def _open_sheet(path: Path, columns: ColumnMap) -> Opened:
    frame = sheet_frame(path, columns)
    headings: tuple[str, ...] = ()
    first = columns.skip + int(columns.header) + int(columns.units_row)
    if len(frame) <= first:
        raise DataError(f"{path} has no data below the header; check skip, header and sheet")
    if columns.header:
        cells = frame.iloc[columns.skip]
        headings = tuple("" if pd.isna(cell) else str(cell).strip() for cell in cells)
    frame = frame.iloc[first:].reset_index(drop=True)
    place = _places(columns, headings, frame.shape[1], path)
    traces = _traces(columns, place, headings, frame.shape[1], path)
    return Opened(path, headings, (frame,), place, traces)


def _places(columns: ColumnMap, headings: Sequence[str], width: int, path: Path) -> dict[str, int]:
    place = {}
    for quantity, column in columns.given().items():
        if column.number is not None:
            place[quantity] = column.number
        elif column.name is not None:
            place[quantity] = _find(column.name, headings, quantity, path)
        if place.get(quantity, 0) >= width:
            raise DataError(
                f"{path}: columns.{quantity}.number = {place[quantity]}, but there are {width} "
                f"columns, counted from 0"
            )
    return place


def _find(name: str, headings: Sequence[str], quantity: str, path: Path) -> int:
    at = [number for number, heading in enumerate(headings) if heading == name.strip()]
    if len(at) > 1:
        raise DataError(
            f"{path}: the heading {name!r:.60} stands twice; write columns.{quantity}.number: "
            f"{at[0]} or {at[1]}"
        )
    if not at:
        close = difflib.get_close_matches(name, headings, n=1)
        known = ", ".join(ascii(heading) for heading in headings)
        advice = f"did you mean {close[0]!r:.60}?" if close else f"there are {known:.200}"
        raise DataError(f"{path} has no column {name!r:.60} (columns.{quantity}.name); {advice}")
    return at[0]


def _traces(
    columns: ColumnMap, place: dict[str, int], headings: Sequence[str], width: int, path: Path
) -> tuple[int, ...]:
    """Columns of a wide table that are traces; columns without heading are none."""
    if columns.layout == "long":
        return ()
    first = columns.traces.first or 0
    last = width - 1 if columns.traces.last is None else columns.traces.last
    if not first <= last < width:
        raise DataError(f"{path}: traces from {first} to {last}, but there are {width} columns")
    named = [k for k in range(width) if not columns.header or (k < len(headings) and headings[k])]
    found = tuple(k for k in named if first <= k <= last and k not in place.values())
    if not found:
        raise DataError(f"{path}: no column is left for traces; check columns and traces")
    return found
