"""A chip in one HDF5 file, saved and restored exactly: devices, clock and streams of chance."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pydantic import TypeAdapter

from pcmsim.clock import Clock
from pcmsim.config import Hardware
from pcmsim.crossbar.chip import Chip, Matrix
from pcmsim.crossbar.mapping import Tile, tiles
from pcmsim.devices import ArrayState, ParameterSet
from pcmsim.errors import DataError
from pcmsim.files import replacing_hdf5
from pcmsim.rng import stream

FORMAT = 1
_ARRAYS = ("g", "nu", "noise", "nu_device", "fault", "g_fault")
_UNITS = {"g": "uS", "g_fault": "uS"}


def save_chip(chip: Chip, path: Path) -> None:
    """Write the whole state of `chip` to `path`; the file appears complete or not at all.

    Raises `DataError` if the disk refuses.
    """
    with replacing_hdf5(path) as file:
        file.attrs["pcmsim_chip_format"] = FORMAT
        # As text: a seed may have more bits than HDF5's whole numbers.
        file.attrs["seed"], file.attrs["now_s"] = str(chip.seed), chip.clock.now_s
        file.attrs["dtype"] = np.dtype(chip.dtype).name
        file.attrs["hardware"] = chip.hardware.model_dump_json()
        set_json = TypeAdapter(ParameterSet).dump_json(chip.parameter_set)
        file.attrs["parameter_set"] = set_json.decode()
        for name, matrix in chip.matrices.items():
            _save_matrix(file.create_group(name), matrix)


def load_chip(path: Path) -> Chip:
    """Restore a chip: the next operation gives the numbers it would have given before saving.

    Raises `DataError` if the file is missing, damaged or of another format.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("pcmsim_chip_format") != FORMAT:
                raise DataError(
                    f"{path} is not a chip of format {FORMAT}; use the version that wrote it"
                )
            chip = _empty_chip(file.attrs)
            for name, group in file.items():
                chip.matrices[name] = _load_matrix(chip, name, group)
            return chip
    except (OSError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as a chip: {error}") from error


def _empty_chip(attrs: Any) -> Chip:
    return Chip(
        Hardware.model_validate_json(attrs["hardware"]),
        int(attrs["seed"]),
        parameter_set=TypeAdapter(ParameterSet).validate_json(attrs["parameter_set"]),
        clock=Clock(float(attrs["now_s"])),
        dtype=np.dtype(attrs["dtype"]).type,
    )


def _save_matrix(group: h5py.Group, matrix: Matrix) -> None:
    group.attrs["shape"] = matrix.shape
    group.attrs["reads"] = json.dumps(matrix.reads.bit_generator.state, default=_plain)
    group["scale"] = matrix.scale
    for i, state in enumerate(matrix.states):
        tile = group.create_group(f"tile{i}")
        tile.attrs["programmed_at_s"] = state.programmed_at_s
        tile.attrs["programmings"] = state.programmings
        for field in _ARRAYS:
            tile[field] = getattr(state, field)
            tile[field].attrs["units"] = _UNITS.get(field, "1")


def _load_matrix(chip: Chip, name: str, group: h5py.Group) -> Matrix:
    rows, columns = (int(n) for n in group.attrs["shape"])
    parts = tiles((rows, columns), chip.hardware.tile_rows, chip.hardware.tile_columns)
    states = [_load_state(chip, group[f"tile{i}"], tile) for i, tile in enumerate(parts)]
    scale = group["scale"][:]
    if scale.shape != (columns,) or not np.all(np.isfinite(scale) & (scale > 0.0)):
        raise ValueError(f"{name}: the scale must be {columns} numbers above zero")
    reads = stream(chip.seed, "read", name)
    reads.bit_generator.state = _arrays(json.loads(group.attrs["reads"]))
    return Matrix((rows, columns), scale, parts, states, reads)


def _load_state(chip: Chip, group: h5py.Group, tile: Tile) -> ArrayState:
    arrays = {field: group[field][()] for field in _ARRAYS}
    size = (tile.rows[1] - tile.rows[0], tile.columns[1] - tile.columns[0])
    for field, array in arrays.items():
        wanted = np.int8 if field == "fault" else chip.dtype
        if array.shape != (2, chip.hardware.pairs, *size) or array.dtype != wanted:
            raise ValueError(f"{group.name}/{field} has another shape or type than its chip")
        if not np.all(np.isfinite(array)) or (field != "nu_device" and array.min() < 0):
            raise ValueError(f"{group.name}/{field} holds values that no device has")
    return ArrayState(
        **arrays,
        programmed_at_s=float(group.attrs["programmed_at_s"]),
        programmings=int(group.attrs["programmings"]),
    )


def _plain(value: Any) -> Any:
    return value.tolist()


def _arrays(state: dict[str, Any]) -> dict[str, Any]:
    state["state"]["state"] = np.array(state["state"]["state"], dtype=np.uint64)
    return state
