"""Finished work on disk: one HDF5 file for each unit, which appears whole or not at all."""

import hashlib
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np

from pcmsim.errors import DataError
from pcmsim.files import replacing_hdf5
from pcmsim.studies.plan import Life, Unit
from pcmsim.studies.unit import COSTS, Lived

FORMAT = 1
FOLDER = "units"


def unit_file(folder: Path, unit: Unit) -> Path:
    """Where the results of a unit lie."""
    return folder / FOLDER / f"{unit.name}.h5"


def save(folder: Path, unit: Unit, lived: dict[Life, Lived]) -> None:
    """Write lives of a unit in one step, beside those that are there; raises `DataError`.

    The order in which lives were finished leaves no trace.
    """
    known = load(folder, unit) | lived
    with replacing_hdf5(unit_file(folder, unit)) as file:
        file.attrs["pcmsim_unit_format"] = FORMAT
        file.attrs["unit"] = unit.name
        file["t_s"] = np.array(unit.times_s)
        for life in sorted(known, key=_name):
            group = file.create_group(_name(life))
            for field in fields(Lived):
                group[field.name] = getattr(known[life], field.name)
            # Checked whenever it is read: a damaged number must not become a result.
            group.attrs["sha256"] = _digest(known[life])


def load(folder: Path, unit: Unit) -> dict[Life, Lived]:
    """Lives of a unit that are on disk; raises `DataError` if the file is damaged."""
    path = unit_file(folder, unit)
    if not path.exists():
        return {}
    found = {}
    try:
        with h5py.File(path, "r") as file:
            if file.attrs["pcmsim_unit_format"] != FORMAT:
                raise DataError(f"{path} is of another format; use the version that wrote it")
            if file.attrs["unit"] != unit.name:
                raise DataError(f"{path} is that of {file.attrs['unit']}; put it back in its place")
            if tuple(file["t_s"][:]) != unit.times_s:
                raise DataError(f"{path} holds other times; remove it to measure the chip again")
            for life in unit.lives:
                if _name(life) in file:
                    found[life] = _lived(file[_name(life)], life, len(unit.times_s))
    except DataError:
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path} is damaged ({reason:.200}); remove it to measure the chip again"
        ) from error
    return found


def sweep(folder: Path) -> None:
    """Remove what processes that were killed have left half written."""
    for partial in (folder / FOLDER).glob("*.partial"):
        with suppress(OSError):
            partial.unlink()


def _lived(group: h5py.Group, life: Life, times: int) -> Lived:
    arrays = {field.name: group[field.name][:] for field in fields(Lived)}
    kinds = len(life.compensations)
    shapes = {
        "metric": (kinds, times, 2),
        "calibration": (kinds, times, len(COSTS)),
        "refresh": (times, len(COSTS)),
        "commissioning": (kinds, len(COSTS)),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, not {shape}")
        whole = name != "metric"
        if arrays[name].dtype != (np.int64 if whole else np.float64):
            raise ValueError(f"{name} is made of {arrays[name].dtype}")
        if not np.isfinite(arrays[name]).all() or (whole and arrays[name].min(initial=0) < 0):
            raise ValueError(f"{name} holds what was never measured")
    lived = Lived(**arrays)
    if group.attrs["sha256"] != _digest(lived):
        raise ValueError("its numbers are not those that were written")
    return lived


def _digest(lived: Lived) -> str:
    arrays = [np.ascontiguousarray(getattr(lived, field.name)) for field in fields(Lived)]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def _name(life: Life) -> str:
    own = () if life.devices is None else (life.devices,)
    return "|".join((*own, life.temperature, life.refresh, *life.compensations))
