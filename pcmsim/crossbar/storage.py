"""A chip in one HDF5 file, saved and restored exactly: devices, clock and streams of chance."""

import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pydantic import TypeAdapter

from pcmsim.clock import Clock
from pcmsim.config import Hardware
from pcmsim.crossbar.chip import Chip
from pcmsim.crossbar.mapping import Tile, tiles
from pcmsim.crossbar.matrix import Matrix
from pcmsim.devices import Ambient, ArrayState, Kept, ParameterSet
from pcmsim.errors import DataError
from pcmsim.files import replace
from pcmsim.rng import stream

FORMAT = 2
# A chip with a temperature of its own, which readers of format 2 would leave out.
FORMAT_AMBIENT = 3
_AMBIENT = "ambient_"
# Arrays of a state with their units; types other than the chip's own.
_FIELDS = dict.fromkeys(
    (
        *("nu", "noise", "nu_device", "nu_event", "fault", "set_factor", "melt_shift"),
        *("lifetime", "origin", "sets", "set_pulses", "resets"),
    ),
    "1",
) | {"g": "uS", "g_fault": "uS", "programmed_at_s": "s"}
_TYPES: dict[str, type] = (
    dict.fromkeys(("fault", "origin"), np.int8)
    | dict.fromkeys(("sets", "set_pulses", "resets"), np.int32)
    | {"programmed_at_s": np.float64, "lifetime": np.float32}
)


def save_chip(chip: Chip, path: Path) -> None:
    """Write the whole state of `chip` to `path`; the file appears complete or not at all.

    Raises `DataError` if the disk refuses.
    """
    replace(path, chip_bytes(chip))


def load_chip(path: Path) -> Chip:
    """Restore a chip: the next operation gives the numbers it would have given before saving.

    Raises `DataError` if the file is missing, damaged or of another format.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read as a chip: {error}") from error
    return restore_chip(content, name=str(path))


def chip_bytes(chip: Chip) -> bytes:
    """The whole state of `chip` as the content of an HDF5 file."""
    buffer = io.BytesIO()
    ambient = chip.ambient
    # Attributes above 64 kB, such as a long profile of temperatures, need HDF5 1.8.
    with h5py.File(buffer, "w", libver=None if ambient is None else "v108") as file:
        file.attrs["pcmsim_chip_format"] = FORMAT if ambient is None else FORMAT_AMBIENT
        if ambient is not None:
            _save_ambient(file.attrs, ambient)
        # As text: a seed may have more bits than HDF5's whole numbers.
        file.attrs["seed"], file.attrs["now_s"] = str(chip.seed), chip.clock.now_s
        file.attrs["dtype"] = np.dtype(chip.dtype).name
        file.attrs["hardware"] = chip.hardware.model_dump_json()
        set_json = TypeAdapter(ParameterSet).dump_json(chip.parameter_set)
        file.attrs["parameter_set"] = set_json.decode()
        for name, matrix in chip.matrices.items():
            _save_matrix(file.create_group(name), matrix)
    return buffer.getvalue()


def restore_chip(content: bytes, name: str = "the snapshot", often: bool = False) -> Chip:
    """Chip from `chip_bytes`, looked at `often` or not; `DataError` names it `name` if damaged."""
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            if file.attrs.get("pcmsim_chip_format") not in (FORMAT, FORMAT_AMBIENT):
                raise DataError(
                    f"{name} is not a chip of format {FORMAT} or {FORMAT_AMBIENT}; use the version "
                    f"that wrote it"
                )
            chip = _empty_chip(file.attrs, often)
            for matrix, group in file.items():
                chip.matrices[matrix] = _load_matrix(chip, matrix, group)
            return chip
    except (OSError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} cannot be read as a chip: {error}") from error


def _empty_chip(attrs: Any, often: bool) -> Chip:
    return Chip(
        Hardware.model_validate_json(attrs["hardware"]),
        int(attrs["seed"]),
        parameter_set=TypeAdapter(ParameterSet).validate_json(attrs["parameter_set"]),
        clock=Clock(float(attrs["now_s"])),
        dtype=np.dtype(attrs["dtype"]).type,
        often=often,
        ambient=_load_ambient(attrs),
    )


def _save_ambient(attrs: Any, ambient: Ambient) -> None:
    attrs[f"{_AMBIENT}starts_s"] = ambient.starts_s
    attrs[f"{_AMBIENT}temperature_c"] = ambient.temperature_c
    if ambient.period_s is not None:
        attrs[f"{_AMBIENT}period_s"] = ambient.period_s


def _load_ambient(attrs: Any) -> Ambient | None:
    if attrs["pcmsim_chip_format"] == FORMAT:
        return None
    period_s = attrs.get(f"{_AMBIENT}period_s")
    return Ambient(
        attrs[f"{_AMBIENT}starts_s"],
        attrs[f"{_AMBIENT}temperature_c"],
        None if period_s is None else float(period_s),
    )


def _save_matrix(group: h5py.Group, matrix: Matrix) -> None:
    group.attrs["shape"], group.attrs["writes"] = matrix.shape, matrix.writes
    group.attrs["reads"] = json.dumps(matrix.reads.bit_generator.state, default=_plain)
    group["scale"] = matrix.scale
    for i, state in enumerate(matrix.states):
        tile = group.create_group(f"tile{i}")
        tile.attrs["programmings"] = state.programmings
        for field, unit in _FIELDS.items():
            tile[field] = getattr(state, field)
            tile[field].attrs["units"] = unit
        if state.kept is not None:
            tile["kept_share"], tile["kept_age_s"] = state.kept.share, state.kept.age_s


def _load_matrix(chip: Chip, name: str, group: h5py.Group) -> Matrix:
    rows, columns = (int(n) for n in group.attrs["shape"])
    parts = tiles((rows, columns), chip.hardware.tile_rows, chip.hardware.tile_columns)
    states = [_load_state(chip, group[f"tile{i}"], tile) for i, tile in enumerate(parts)]
    scale = group["scale"][:]
    if scale.shape != (columns,) or not np.all(np.isfinite(scale) & (scale > 0.0)):
        raise ValueError(f"{name}: the scale must be {columns} numbers above zero")
    reads = stream(chip.seed, "read", name)
    reads.bit_generator.state = _arrays(json.loads(group.attrs["reads"]))
    return Matrix((rows, columns), scale, parts, states, reads, int(group.attrs["writes"]))


def _load_state(chip: Chip, group: h5py.Group, tile: Tile) -> ArrayState:
    size = (tile.rows[1] - tile.rows[0], tile.columns[1] - tile.columns[0])
    shape = (2, chip.hardware.pairs, *size)
    arrays: dict[str, Any] = {}
    for field in _FIELDS:
        array = np.asarray(group[field][()])
        wanted = _TYPES.get(field, chip.dtype)
        shared = field == "programmed_at_s" and array.shape == ()
        if not (shared or array.shape == shape) or array.dtype != wanted:
            raise ValueError(f"{group.name}/{field} has another shape or type than its chip")
        signed = field in ("nu_device", "nu_event", "melt_shift")
        if not np.all(np.isfinite(array)) or (not signed and array.min() < 0):
            raise ValueError(f"{group.name}/{field} holds values that no device has")
        arrays[field] = float(array) if shared else array
    kept = None
    if "kept_share" in group:
        kept = Kept(group["kept_share"][()], group["kept_age_s"][()])
        if kept.share.shape != shape or kept.age_s.shape != shape:
            raise ValueError(f"{group.name}/kept has another shape than its chip")
    return ArrayState(**arrays, programmings=int(group.attrs["programmings"]), kept=kept)


def _plain(value: Any) -> Any:
    return value.tolist()


def _arrays(state: dict[str, Any]) -> dict[str, Any]:
    state["state"]["state"] = np.array(state["state"]["state"], dtype=np.uint64)
    return state
