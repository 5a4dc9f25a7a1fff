"""Writing a campaign as a self-describing HDF5 file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pcmsim import __version__
from pcmsim.calibration.records import Campaign, DriftTraces, ProgrammingCurve
from pcmsim.errors import DataError
from pcmsim.files import replacing_hdf5
from pcmsim.measurements.layout import (
    FORMAT,
    INSTRUMENT,
    INSTRUMENT_TEXT,
    KINDS,
    VERSION,
    Kind,
    Variable,
)

_CHUNK_BYTES = 2**20


def write_campaign(
    path: Path, campaign: Campaign, attributes: Mapping[str, str | float] | None = None
) -> None:
    """Write a campaign; the file appears complete or not at all.

    `attributes` are further facts for the root of the file, such as the start of the campaign.
    The file is built in memory, compressed. Raises `DataError` if the disk refuses.
    """
    with replacing_hdf5(Path(path)) as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        file.attrs["written_by"] = f"pcmsim {__version__}"
        _write_instrument(file, campaign)
        for name, value in (attributes or {}).items():
            file.attrs[name] = value
        group = None
        for part in campaign.drift:
            if group is None:
                group = _write_record(file, "drift", KINDS["drift"], part)
            elif not np.array_equal(group["t_s"], part.t_s):
                raise DataError("drift: parts have different times; write a file for each")
            else:
                _append(group, part)
        for i, reads in enumerate(campaign.reads):
            _write_record(file, "reads" if i == 0 else f"reads_{i + 1}", KINDS["reads"], reads)
        others = {
            "set_drift": campaign.set_drift,
            "staircase": campaign.staircases,
            "curve": campaign.curve,
            "yields": campaign.yields,
            "levels": campaign.levels,
        }
        for name, record in others.items():
            if record is not None:
                _write_record(file, name, KINDS[name], record)


def _write_instrument(file: h5py.File, campaign: Campaign) -> None:
    for name, (unit, _) in INSTRUMENT.items():
        file.attrs[name] = float(getattr(campaign.instrument, name))
        file.attrs[f"{name}_units"] = unit
    for name in INSTRUMENT_TEXT:
        file.attrs["instrument" if name == "name" else name] = getattr(campaign.instrument, name)


def _write_record(file: h5py.File, name: str, kind: Kind, record: Any) -> h5py.Group:
    group = file.create_group(name)
    for number, unit in kind.numbers.items():
        group.attrs[number] = float(getattr(record, number))
        group.attrs[f"{number}_units"] = unit
    lengths: dict[str, int] = {}
    for field, variable in kind.variables.items():
        lengths |= dict(zip(variable.dimensions, np.shape(getattr(record, field)), strict=True))
    for dimension, length in lengths.items():
        if dimension not in kind.variables or kind.variables[dimension].dimensions != (dimension,):
            scale = group.create_dataset(
                dimension if dimension not in kind.variables else f"{dimension}_",
                data=np.arange(length),
                maxshape=(None,),
            )
            scale.make_scale(dimension)
            scale.attrs["long_name"] = f"number of the {dimension}"
    for field, variable in kind.variables.items():
        _write_variable(group, field, variable, np.asarray(getattr(record, field)))
    if isinstance(record, ProgrammingCurve):
        group["amplitude"].attrs["units"] = record.unit
    return group


def _write_variable(group: h5py.Group, name: str, variable: Variable, values: np.ndarray) -> None:
    values = values.astype(np.int64) if variable.whole else values.astype(np.float64)
    rows = max(1, _CHUNK_BYTES // max(8 * int(np.prod(values.shape[1:])), 1))
    options: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    dataset = group.create_dataset(
        name,
        data=values,
        maxshape=(None, *values.shape[1:]),
        chunks=(min(rows, max(values.shape[0], 1)), *(max(n, 1) for n in values.shape[1:])),
        **options,
    )
    dataset.attrs["units"], dataset.attrs["long_name"] = variable.units, variable.long_name
    if variable.dimensions == (name,):
        dataset.make_scale(name)
        return
    for axis, dimension in enumerate(variable.dimensions):
        if dimension in group:
            dataset.dims[axis].attach_scale(group[dimension])


def _append(group: h5py.Group, part: DriftTraces) -> None:
    """Rows of a further part below those that are there."""
    first = group["g"].shape[0]
    last = first + part.g.shape[0]
    for field, variable in KINDS["drift"].variables.items():
        if variable.dimensions[0] == "row":
            dataset = group[field]
            dataset.resize(last, axis=0)
            dataset[first:] = getattr(part, field)
    group["row"].resize(last, axis=0)
    group["row"][first:] = np.arange(first, last)
