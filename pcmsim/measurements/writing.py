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
        facts = {"format": FORMAT, "version": VERSION, "law": campaign.law}
        facts["written_by"] = f"pcmsim {__version__}"
        _set(file, facts)
        _write_instrument(file, campaign)
        _set(file, attributes or {})
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
        _set(file, {name: float(getattr(campaign.instrument, name)), f"{name}_units": unit})
    for name in INSTRUMENT_TEXT:
        _set(file, {"instrument" if name == "name" else name: getattr(campaign.instrument, name)})


def _set(item: h5py.Group | h5py.Dataset, attributes: Mapping[str, Any]) -> None:
    """Attributes, texts with a fixed length: those of variable length are slow to read safely."""
    for name, value in attributes.items():
        if isinstance(value, str):
            text = value.encode()
            kind = h5py.string_dtype("utf-8", max(len(text), 1))
            item.attrs.create(name, text, dtype=kind)
        else:
            item.attrs[name] = value


def _write_record(file: h5py.File, name: str, kind: Kind, record: Any) -> h5py.Group:
    group = file.create_group(name)
    for number, unit in kind.numbers.items():
        _set(group, {number: float(getattr(record, number)), f"{number}_units": unit})
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
            _set(scale, {"long_name": f"number of the {dimension}"})
    for field, variable in kind.variables.items():
        _write_variable(group, field, variable, np.asarray(getattr(record, field)))
    if isinstance(record, ProgrammingCurve):
        _set(group["amplitude"], {"units": record.unit})
    return group


def _write_variable(group: h5py.Group, name: str, variable: Variable, values: np.ndarray) -> None:
    values = values.astype(np.int64) if variable.whole else values.astype(np.float64)
    options: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    dataset = group.create_dataset(
        name,
        data=values,
        maxshape=(None, *values.shape[1:]),
        chunks=_chunks(values.shape),
        **options,
    )
    _set(dataset, {"units": variable.units, "long_name": variable.long_name})
    if variable.dimensions == (name,):
        dataset.make_scale(name)
        return
    for axis, dimension in enumerate(variable.dimensions):
        if dimension in group:
            dataset.dims[axis].attach_scale(group[dimension])


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Whole rows, as many as fit into a chunk; rows that are longer are cut.

    >>> _chunks((52_800, 25)), _chunks((10, 40_000_000))
    ((5242, 25), (1, 131072))
    """
    left, chunks = _CHUNK_BYTES // 8, list[int]()
    for length in reversed(shape):
        chunks.append(max(1, min(length, left)))
        left //= chunks[-1]
    return tuple(reversed(chunks))


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
