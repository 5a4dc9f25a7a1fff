"""Append-only table in one HDF5 file, readable with h5py and xarray at any moment.

Every row is added to a copy that then takes the file's place in one step. A run that is killed,
or a disk that is full, costs the row that was being written and nothing before it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from pcmsim.errors import DataError, UsageError
from pcmsim.files import replacing_hdf5

FORMAT = 1


def append(path: Path, rows: Mapping[str, float | np.ndarray], units: Mapping[str, str]) -> None:
    """Append one row, or equally long columns of rows, to the table at `path`.

    The first call creates the file and fixes the columns; `units` gives each column's unit.
    Raises `UsageError` if columns differ from the table's, `DataError` if the disk refuses; what
    was logged before stays as it was.
    """
    columns = {name: np.atleast_1d(np.asarray(v, dtype=np.float64)) for name, v in rows.items()}
    _check(columns, units)
    path = Path(path)
    try:
        with replacing_hdf5(path, keep=True) as file:
            if not len(file):
                _create(file, list(columns), units)
            _extend(file, columns, path)
    except OSError as error:
        raise DataError(f"{path} cannot be extended as a run log: {error}") from error


def read(path: Path) -> dict[str, np.ndarray]:
    """All complete rows of the table at `path`, one array per column.

    Raises `DataError` if the file is missing, damaged or of another format.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("pcmsim_log_format") != FORMAT:
                raise DataError(
                    f"{path} is not a run log of format {FORMAT}; use the version that wrote it"
                )
            columns = {name: file[name][:] for name in file if name != "row"}
    except (OSError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as a run log: {reason:.200}") from error
    if len({column.shape for column in columns.values()}) != 1:
        raise DataError(f"{path} is damaged: its columns differ in length; restore it from a copy")
    return columns


def truncate(path: Path, n_rows: int) -> None:
    """Keep the first `n_rows` rows; a resumed run drops what its checkpoint does not know of."""
    table = read(path)
    with h5py.File(path, "r") as file:
        units = {name: str(file[name].attrs.get("units", "1")) for name in table}
    kept = path.with_name(path.name + ".kept")
    kept.unlink(missing_ok=True)
    if n_rows:
        append(kept, {name: column[:n_rows] for name, column in table.items()}, units)
        os.replace(kept, path)
    else:
        path.unlink()


def _check(columns: dict[str, np.ndarray], units: Mapping[str, str]) -> None:
    if (
        len({column.shape for column in columns.values()}) != 1
        or next(iter(columns.values())).ndim != 1
    ):
        raise UsageError("rows must be numbers, or one-dimensional columns of equal length")
    if set(units) != set(columns):
        raise UsageError(f"units must name the columns {sorted(columns)}; got {sorted(units)}")


def _create(file: h5py.File, names: list[str], units: Mapping[str, str]) -> None:
    file.attrs["pcmsim_log_format"] = FORMAT
    row = file.create_dataset("row", (0,), maxshape=(None,), dtype=np.int64)
    row.make_scale("row")
    for name in names:
        column = file.create_dataset(name, (0,), maxshape=(None,), dtype=np.float64)
        column.dims[0].attach_scale(row)
        column.attrs["units"] = units[name]


def _extend(file: h5py.File, columns: dict[str, np.ndarray], path: Path) -> None:
    known = set(file) - {"row"}
    if set(columns) != known:
        raise UsageError(f"{path} has the columns {sorted(known)}; got {sorted(columns)}")
    start = len(file["row"])
    stop = start + len(next(iter(columns.values())))
    file["row"].resize((stop,))
    file["row"][start:] = np.arange(start, stop)
    for name, column in columns.items():
        file[name].resize((stop,))
        file[name][start:] = column
