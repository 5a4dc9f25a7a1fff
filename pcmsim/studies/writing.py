"""The results of a study as files for other programs: Parquet, CSV and HDF5."""

import io
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from pcmsim.files import replace, replacing_hdf5
from pcmsim.studies.table import AXES, Table, frame
from pcmsim.studies.unit import COSTS

PARQUET, CSV, HDF5 = "results.parquet", "results.csv", "results.h5"
FORMAT = 1
_LOSSES, _COSTS = ("per_step", "per_sequence"), ("calibration", "refresh", "commissioning")


def write_tables(folder: Path, table: Table, unit: str) -> None:
    """Write `results.parquet`, `results.csv` and `results.h5`, each in one step.

    `unit` is that of the metric. The same measurements give the same bytes. Raises `DataError`
    if the disk refuses.
    """
    rows = frame(table)
    parquet = io.BytesIO()
    rows.to_parquet(parquet, engine="pyarrow", index=False, compression="zstd")
    replace(folder / PARQUET, parquet.getvalue())
    replace(folder / CSV, rows.to_csv(index=False).encode())
    with replacing_hdf5(folder / HDF5) as file:
        _fill(file, table, unit)


def _fill(file: h5py.File, table: Table, unit: str) -> None:
    """Arrays with named dimensions, as xarray and netCDF readers expect them."""
    file.attrs["pcmsim_study_format"] = FORMAT
    file["cell"] = np.arange(len(table.cells))
    file["chip"] = np.arange(table.per_step.shape[1])
    file["t_s"] = np.array(table.times_s)
    file["count"] = np.array(COSTS, dtype="S")
    file["t_s"].attrs["units"] = "s"
    for name in ("cell", "chip", "t_s", "count"):
        file[name].make_scale(name)
    for axis in AXES:
        file[axis] = np.array([getattr(cell, axis) for cell in table.cells], dtype="S")
        file[axis].dims[0].attach_scale(file["cell"])
    for name in _LOSSES:
        _dataset(file, f"metric_{name}", getattr(table, name), unit)
    for name in _COSTS:
        _dataset(file, f"{name}_cost", getattr(table, name), "1")


def _dataset(file: h5py.File, name: str, values: NDArray[np.float64], units: str) -> None:
    data = file.create_dataset(name, data=values, compression="gzip")
    data.attrs["units"] = units
    dimensions = ["cell", "chip", "t_s"]
    if values.shape[-1] == len(COSTS) and units == "1":
        dimensions = [*dimensions[: values.ndim - 1], "count"]
    for i, dimension in enumerate(dimensions):
        data.dims[i].attach_scale(file[dimension])
