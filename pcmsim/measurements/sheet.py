"""Excel sheets of a lab, looked at before they are unpacked."""

import re
import zipfile
import zlib
from pathlib import Path
from typing import IO
from xml.parsers import expat

import pandas as pd
from python_calamine import CalamineError

from pcmsim.errors import DataError
from pcmsim.measurements.cells import MISSING
from pcmsim.measurements.columns import ColumnMap
from pcmsim.measurements.text_table import MOST_COLUMNS

_MOST_BYTES, _MOST_MEMBERS, _MOST_CELLS = 512 * 2**20, 1000, 20_000_000
_PIECE = 2**20
_PLACE = re.compile(r"([A-Z]{0,3})([0-9]{0,7})")


def sheet_frame(path: Path, columns: ColumnMap) -> pd.DataFrame:
    """All cells of the first sheet, or of `columns.sheet`; columns by number.

    Raises `DataError` for files that unpack to more than 512 MiB, for sheets that claim more than
    4096 columns or twenty million cells, and for what is no sheet.
    """
    _check_archive(path)
    try:
        return pd.read_excel(
            path,
            sheet_name=0 if columns.sheet is None else columns.sheet,
            engine="calamine",
            header=None,
            na_values=[*MISSING, *columns.missing],
            keep_default_na=False,
        )
    except (CalamineError, OSError, ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise DataError(f"{path} cannot be read as a sheet: {_short(error)}") from None


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > _MOST_BYTES or len(members) > _MOST_MEMBERS:
                raise DataError(
                    f"{path} unpacks to {total:,} bytes in {len(members)} parts; at most "
                    f"{_MOST_BYTES:,} in {_MOST_MEMBERS}: write it as CSV"
                )
            for member in members:
                with archive.open(member) as stream:
                    _check_member(stream, f"{path}: {member.filename!a:.60}")
    except DataError:
        raise
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, ValueError, RuntimeError) as error:
        raise DataError(f"{path} cannot be read as a sheet: {_short(error)}") from None


def _check_member(stream: IO[bytes], where: str) -> None:
    """Read a part to its end, and see how far its cells reach: readers reserve all in between."""
    extent = [0, 0]
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda _, attributes: _extend(extent, attributes, where)
    piece = stream.read(_PIECE)
    markup = piece.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \r\n\t").startswith(b"<")
    while piece:
        if markup:
            try:
                parser.Parse(piece, False)
            except expat.ExpatError as error:
                raise DataError(f"{where} is damaged: {error}") from None
        piece = stream.read(_PIECE)


def _extend(extent: list[int], attributes: dict[str, str], where: str) -> None:
    """Take the place of a cell, or a range of cells, into the extent (columns, rows)."""
    for name in ("r", "ref"):
        for corner in attributes.get(name, "").split(":"):
            match = _PLACE.fullmatch(corner)
            if match:
                column = 0
                for letter in match[1]:
                    column = 26 * column + ord(letter) - 64
                extent[:] = max(extent[0], column), max(extent[1], int(match[2] or 0))
    if extent[0] > MOST_COLUMNS or extent[0] * extent[1] > _MOST_CELLS:
        raise DataError(
            f"{where} claims cells to column {extent[0]:,} and row {extent[1]:,}; at most "
            f"{MOST_COLUMNS} columns and {_MOST_CELLS:,} cells: delete what is far out"
        )


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
