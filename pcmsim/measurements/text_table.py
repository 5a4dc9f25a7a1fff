"""Text tables of a lab, read in pieces of bounded memory after a first look at every line."""

import csv
import gzip
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO

import pandas as pd

from pcmsim.errors import DataError
from pcmsim.measurements.cells import MISSING
from pcmsim.measurements.columns import ColumnMap

SEPARATORS = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ",", "space": " "}
MOST_COLUMNS = 4096
_LINE, _MOST_BYTES, _MOST_LINES, _RATIO = 2**20, 4 * 2**30, 100_000_000, 200
_CELLS = 2_000_000


@dataclass(frozen=True)
class Scan:
    """What the first look found: separator, header, columns of the widest line, lines to skip."""

    separator: str
    header: tuple[str, ...] | None
    width: int
    skipped: tuple[int, ...]


def scan(path: Path, columns: ColumnMap) -> Scan:
    """Look at every line before anything is parsed.

    Raises `DataError` for lines longer than 1 MiB, more than 4096 columns, zero bytes, text in
    another encoding, and compressed files that swell beyond reason.
    """
    separator = SEPARATORS[columns.separator] if columns.separator else ""
    head = columns.skip + int(columns.header) + int(columns.units_row)
    header: tuple[str, ...] | None = None
    skipped: list[int] = []
    used, width = 0, 0
    for number, line in enumerate(_lines(path, columns)):
        if used < columns.skip or _empty(line, columns, used < head or width != 1):
            used += used < columns.skip
            skipped.append(number)
            continue
        separator = separator or _separator(line, columns)
        found = len(line.split()) if separator == " " else line.count(separator) + 1
        if found > MOST_COLUMNS:
            raise DataError(f"{path}: line {number + 1} has more than {MOST_COLUMNS} columns")
        if used < head:
            header = _fields(line, separator) if header is None and columns.header else header
            used += 1
            skipped.append(number)
        else:
            width = max(width, found)
    if width == 0:
        raise DataError(f"{path} has no data below the header; check skip and header")
    return Scan(separator, header, max(width, len(header or ())), tuple(skipped))


def frames(
    path: Path, columns: ColumnMap, found: Scan, texts: Collection[int] = ()
) -> Iterator[pd.DataFrame]:
    """The data in pieces of about two million cells, columns by number, `texts` as they stand."""
    spaces = found.separator == " "
    with _open(path, columns) as stream:
        try:
            yield from pd.read_csv(
                stream,
                header=None,
                names=range(found.width),
                index_col=False,
                dtype=dict.fromkeys(texts, str),
                sep=r"\s+" if spaces else found.separator,
                skiprows=list(found.skipped),
                skip_blank_lines=False,
                skipinitialspace=not spaces,
                na_values=[*MISSING, *columns.missing],
                keep_default_na=False,
                decimal="," if columns.decimal == "comma" else ".",
                low_memory=False,
                chunksize=max(1, _CELLS // found.width),
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError, OverflowError) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"{path} cannot be read as a table: {reason:.200}") from None


def _lines(path: Path, columns: ColumnMap) -> Iterator[str]:
    most, total = min(_MOST_BYTES, _RATIO * path.stat().st_size + 2**26), 0
    with _open(path, columns) as stream:
        number = 0
        while line := stream.readline(_LINE + 1):
            number, total = number + 1, total + len(line)
            fault = _fault(line)
            if fault:
                raise DataError(f"{path}: line {number} {fault}")
            if total > most or number > _MOST_LINES:
                raise DataError(
                    f"{path} holds more than {most:,} characters or {_MOST_LINES:,} lines; split "
                    f"it, or write it as HDF5"
                )
            yield line


def _fault(line: str) -> str:
    """What is wrong with a line before it is parsed; empty if nothing is."""
    if len(line) > _LINE:
        return f"is longer than {_LINE:,} characters; is it a table?"
    if "\0" in line:
        return "holds zero bytes; it is no text, or encoding: utf-16"
    if line.count('"') % 2 or "\r" in line.rstrip("\r\n"):
        return (
            "has a quote that is not closed, or a carriage return within; write one row on one line"
        )
    return ""


@contextmanager
def _open(path: Path, columns: ColumnMap) -> Iterator[IO[str]]:
    # A mark at the beginning is no part of the first name.
    encoding = {"utf-8": "utf-8-sig"}.get(columns.encoding, columns.encoding)
    try:
        open_raw = gzip.open if path.suffix == ".gz" else open
        with open_raw(path, "rb") as raw, TextIOWrapper(raw, encoding, newline="\n") as stream:
            yield stream
    except UnicodeError as error:
        raise DataError(
            f"{path} is no {columns.encoding}: {error!s:.100}; state encoding: latin-1 or utf-16"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error!s:.200}") from None


def _empty(line: str, columns: ColumnMap, blank_too: bool) -> bool:
    """Comments, and blank lines unless they are missing reads of a table of one column."""
    return line.startswith(columns.comment) or (blank_too and not line.strip())


def _separator(line: str, columns: ColumnMap) -> str:
    for name, separator in SEPARATORS.items():
        if separator in line.strip() and not (name == "comma" and columns.decimal == "comma"):
            return separator
    return ","


def _fields(line: str, separator: str) -> tuple[str, ...]:
    if separator == " ":
        return tuple(line.split())
    row = next(csv.reader([line.rstrip("\r\n")], delimiter=separator), [])
    return tuple(field.strip() for field in row)
