"""Reading a measurement file into records; large traces in parts of bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pcmsim.calibration.records import Campaign, DriftTraces, Instrument, ProgrammingCurve
from pcmsim.errors import DataError
from pcmsim.measurements.layout import FORMAT, INSTRUMENT, KINDS, VERSION, Kind
from pcmsim.measurements.safe import attribute, datasets, groups, guarded, open_hdf5

PART_BYTES = 64 * 2**20
# What is not read in parts has to fit.
_MOST_BYTES = 4 * 2**30
# Groups of which a file has one at most, and the fields of a campaign that they fill.
_SINGLE = {
    "set_drift": "set_drift",
    "staircase": "staircases",
    "curve": "curve",
    "yields": "yields",
    "levels": "levels",
}


def read_campaign(path: Path, part_bytes: int = PART_BYTES) -> Campaign:
    """Records of the file at `path`.

    Drift traces are read in parts of about `part_bytes` each time they are iterated; everything
    else is read at once. Raises `DataError` that names what is missing or wrong.
    """
    path = Path(path)
    with guarded(path), open_hdf5(path) as file:
        found_format, version = attribute(file, "format"), attribute(file, "version")
        if found_format != FORMAT:
            raise DataError(f"{path} has format = {found_format!r}; this reads {FORMAT!r}")
        if version != VERSION:
            raise DataError(f"{path} has version {version}; this reads version {VERSION}")
        instrument = _instrument(file, path)
        law: Any = attribute(file, "law")
        law = "drift" if law is None else law
        if law not in ("drift", "relaxation"):
            raise DataError(f"{path} has law = {law!r:.40}; it is drift or relaxation")
        present = groups(file)
        drift: Any = ()
        if "drift" in present:
            drift = DriftFile(path, part_bytes)
            drift.check(present["drift"])
        names = [n for n in present if n == "reads" or n.startswith("reads_")]
        reads = tuple(_record(present[name], KINDS["reads"], path) for name in sorted(names))
        for name in present:
            if name not in KINDS and name not in names:
                shown = name if name.isprintable() else ascii(name)
                raise DataError(
                    f"{path}: {shown:.60} is no kind of measurement; known: {list(KINDS)}"
                )
        single: dict[str, Any] = {
            field: _record(present[name], KINDS[name], path)
            for name, field in _SINGLE.items()
            if name in present
        }
    return Campaign(instrument, drift, reads=reads, law=law, **single)


@dataclass(frozen=True)
class DriftFile:
    """Drift traces of a file, part by part; can be iterated again and again."""

    path: Path
    part_bytes: int = PART_BYTES

    def __iter__(self) -> Iterator[DriftTraces]:
        with guarded(self.path), open_hdf5(self.path) as file:
            present = groups(file)
            if "drift" not in present:
                raise DataError(f"{self.path}: drift has disappeared")
            variables = self.check(present["drift"])
            n, k = variables["g"].shape
            rows = max(1, self.part_bytes // (8 * max(k, 1)))
            t_s = _values(variables["t_s"], f"{self.path}: drift/t_s", whole=False)
            for first in range(0, n, rows):
                part = {
                    name: _values(
                        dataset,
                        f"{self.path}: drift/{name}",
                        KINDS["drift"].variables[name].whole,
                        first,
                        first + rows,
                    )
                    for name, dataset in variables.items()
                    if name != "t_s"
                }
                yield DriftTraces(t_s=t_s, **part)

    def check(self, group: h5py.Group) -> dict[str, h5py.Dataset]:
        """Variables of the group, whose shapes fit together."""
        return _variables(group, KINDS["drift"], self.path)


def _instrument(file: h5py.File, path: Path) -> Instrument:
    numbers: dict[str, Any] = {}
    for name, (unit, needed) in INSTRUMENT.items():
        value = attribute(file, name)
        if value is None and needed:
            raise DataError(f"{path}: the attribute {name} [{unit}] is missing at the root; add it")
        if value is not None:
            if isinstance(value, str):
                raise DataError(f"{path}: the attribute {name} = {value!r:.40} must be a number")
            numbers[name] = value
    chip, name = (str(attribute(file, at) or "") for at in ("chip", "instrument"))
    return Instrument(**numbers, chip=chip, name=name)


def _variables(group: h5py.Group, kind: Kind, path: Path) -> dict[str, h5py.Dataset]:
    where = f"{path}: {group.name.lstrip('/')}"
    present = datasets(group)
    lengths: dict[str, tuple[str, int]] = {}
    for name, variable in kind.variables.items():
        if name not in present:
            raise DataError(f"{where}/{name} is missing; it is {variable.long_name}")
        shape = present[name].shape
        if len(shape) != len(variable.dimensions):
            raise DataError(f"{where}/{name} has shape {shape}; it needs {variable.dimensions}")
        units = attribute(present[name], "units") or variable.units
        # Amplitudes are currents, or voltages of whoever has no currents.
        others = {"uS": ("µS",), "uA": ("µA", "V")}.get(variable.units, ())
        if units != variable.units and units not in others:
            raise DataError(f"{where}/{name} has units {units!r:.20}; write {variable.units!r}")
        for dimension, length in zip(variable.dimensions, shape, strict=True):
            other, known = lengths.setdefault(dimension, (name, length))
            if known != length:
                raise DataError(f"{where}: {name} has {length} {dimension}s, {other} has {known}")
    return {name: present[name] for name in kind.variables}


def _record(group: h5py.Group, kind: Kind, path: Path) -> Any:
    variables = _variables(group, kind, path)
    where = f"{path}: {group.name.lstrip('/')}"
    size = sum(dataset.size * 8 for dataset in variables.values())
    if size > _MOST_BYTES:
        raise DataError(f"{where} holds {size:,} bytes; at most {_MOST_BYTES:,} at once")
    values: dict[str, Any] = {
        name: _values(dataset, f"{where}/{name}", kind.variables[name].whole)
        for name, dataset in variables.items()
    }
    if kind.record is ProgrammingCurve:
        unit = attribute(variables["amplitude"], "units") or "uA"
        values["unit"] = str(unit).replace("µ", "u")
    for number, unit in kind.numbers.items():
        found = attribute(group, number)
        if not isinstance(found, float):
            raise DataError(f"{where}: the attribute {number} [{unit}] must be a number")
        values[number] = found
    return kind.record(**values)


def _values(
    dataset: h5py.Dataset, where: str, whole: bool, first: int = 0, last: int | None = None
) -> np.ndarray:
    try:
        values = np.asarray(dataset[first:last])
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{where} cannot be read: {reason:.200}") from None
    if not whole:
        return values.astype(np.float64)
    if values.dtype.kind == "f":
        bad = np.flatnonzero(~((np.abs(values) <= 2**53) & (values == np.floor(values))))
        if bad.size:
            row, value = first + bad[0], values[bad[0]]
            raise DataError(f"{where}: row {row}: {value:g} must be a whole number")
    return values.astype(np.int64)
