"""What a report needs from the files of a run folder, checked.

A folder of a training run holds `results.json`, `config.yaml`, `environment.json` and `log.h5`, and
with the hardware in the loop a folder `chip0`, `chip1` ... for each chip with a `log.h5`; one of a
drift run holds `results.json`, `device.json` and `arrays.h5`. Unknown keys are left alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from pcmsim import runlog
from pcmsim.errors import DataError
from pcmsim.units import perplexity

FORMAT = 1
CURVES = ("epoch", "train_loss", "valid_metric")
COUNTS = ("programmed", "set_pulses", "resets")
LOOP_COLUMNS = ("phase", "epoch", "valid_metric", *COUNTS)
FloatArray = NDArray[np.float64]
Record = TypeVar("Record")
LARGEST = 1e15  # no run has more of anything, and figures of it could not be drawn
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
NotNegative = Annotated[Number, Field(ge=0.0)]
Whole = Annotated[int, Field(ge=0, le=int(LARGEST))]
_CONFIG = ConfigDict(extra="ignore")


@checked(frozen=True, config=_CONFIG)
class Metric:
    """What a network is measured by."""

    name: str = "negative log-likelihood"
    unit: str = "nat/step"

    @property
    def label(self) -> str:
        """Name and, if it has one, unit, as at an axis."""
        return f"{self.name}{self.bracket}"

    @property
    def bracket(self) -> str:
        """The unit, if there is one, in brackets after a space."""
        return "" if self.unit == "1" else f" [{self.unit}]"

    @property
    def suffix(self) -> str:
        """The unit, if there is one, after a space."""
        return "" if self.unit == "1" else f" {self.unit}"

    def as_perplexity(self, value: float) -> str:
        """Of a likelihood of words what it is in perplexity, after a comma; else nothing."""
        found = perplexity(value, self.unit)
        return "" if found is None else f", perplexity {found:.2f}"


@checked(frozen=True, config=_CONFIG)
class Training:
    """Results of training in software; of a network from elsewhere, no epochs."""

    task: str
    network: str
    unit: str
    software_metric: Number
    software_metric_per_sequence: Number
    best_epoch: Whole
    valid_metric: Number
    epochs: Annotated[Whole, Field(ge=0)]
    seconds: Number
    metric: Metric = Metric()


@checked(frozen=True, config=_CONFIG)
class Point:
    """Metric over the chips at `t_s` [s] with one compensation; of one chip no `std`."""

    compensation: str
    t_s: Annotated[Number, Field(gt=0.0)]
    mean: Number
    per_chip: Annotated[tuple[Number, ...], Field(min_length=1)]
    std: Number | None = None
    mean_per_sequence: Number | None = None


@checked(frozen=True, config=_CONFIG)
class Drift:
    """Results of one trained network on simulated chips."""

    task: str
    network: str
    devices: int
    software_metric: Number
    software_metric_per_sequence: Number
    device_set: str
    chips: int
    seed: int
    drift: Annotated[tuple[Point, ...], Field(min_length=1)]
    metric: Metric = Metric()
    inference: Literal["batched", "streaming"] = "batched"
    step_s: NotNegative = 0.0


@checked(frozen=True, config=_CONFIG, kw_only=True)
class StagePoint(Point):
    """As `Point`, of the software network written onto the chips or of one trained on them.

    Times count from the moment at which the stage was ready, so 0 is right after it.
    """

    stage: Literal["transfer", "in_loop"]
    t_s: NotNegative


@checked(frozen=True, config=_CONFIG)
class Wear:
    """Pulses that the devices of one matrix have had: all together, and the most of one."""

    set_pulses: NotNegative = 0.0
    resets: NotNegative = 0.0
    most_set_pulses: NotNegative = 0.0
    most_resets: NotNegative = 0.0


@checked(frozen=True, config=_CONFIG)
class Chip:
    """A chip after training in the loop; `seconds` are real ones, `chip_s` [s] is its own clock."""

    chip: Whole
    epochs: Whole
    seconds: NotNegative
    chip_s: NotNegative
    wear: Mapping[str, Wear]


@checked(frozen=True, config=_CONFIG)
class InLoop:
    """What a training run with the hardware in the loop has found besides."""

    devices: Whole
    device_set: str
    stages: Annotated[tuple[StagePoint, ...], Field(min_length=1)]
    chips: Annotated[tuple[Chip, ...], Field(min_length=1)]
    aware_metric: Number | None = None
    aware_seconds: Number | None = None


@checked(frozen=True, config=_CONFIG)
class Entry:
    """One value of a parameter set."""

    name: str
    value: Any
    unit: str
    source: str


@checked(frozen=True, config=_CONFIG)
class Device:
    """A parameter set as it was used."""

    name: str
    title: str
    source: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Matrix:
    """Conductances [µS] of one matrix, shape (2, pairs, rows, columns), at two times [s]."""

    name: str
    g_start: NDArray[np.floating[Any]]
    g_end: NDArray[np.floating[Any]]
    t_start_s: float
    t_end_s: float


def read_json(path: Path) -> Any:
    """Content of the JSON file at `path`; raises `DataError` if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def read_text(path: Path) -> str:
    """Text of the file at `path`; raises `DataError` if it is missing or no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def check(kind: type[Record], values: Any, path: Path) -> Record:
    """Record of `kind` from the content of the file at `path`; raises `DataError` on a wrong field.

    >>> check(Entry, {"name": "g_max", "value": 25.0, "unit": "uS"}, Path("device.json"))
    Traceback (most recent call last):
        ...
    pcmsim.errors.DataError: device.json: source: field required
    """
    try:
        return TypeAdapter(kind).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        message = first["msg"]
        raise DataError(f"{path}: {where}: {message[0].lower()}{message[1:]}") from None


def read_curves(path: Path) -> Mapping[str, FloatArray]:
    """Columns of a training log; raises `DataError` if it cannot be read or lacks one."""
    return _read_columns(path, CURVES)


def read_loop_log(path: Path) -> Mapping[str, FloatArray]:
    """Columns of the log of a chip; raises `DataError` if it cannot be read or lacks one."""
    table = _read_columns(path, LOOP_COLUMNS)
    for name in COUNTS:
        if table[name].min() < 0.0:
            raise DataError(f"{path}: {name} reaches {table[name].min():g}; counts begin at 0")
    return table


def read_matrices(path: Path) -> Sequence[Matrix]:
    """Conductances of the first chip; raises `DataError` if the file is missing or damaged."""
    try:
        with h5py.File(path, "r") as file:
            found = [_matrix(name, group) for name, group in file.items()]
    except (OSError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise DataError(f"{path} cannot be read as conductances: {error}") from error
    for m in found:
        shapes = {m.g_start.shape, m.g_end.shape}
        if len(shapes) > 1 or m.g_start.ndim != 4 or len(m.g_start) != 2 or not m.g_start.size:
            raise DataError(
                f"{path}: {m.name} has the shapes {m.g_start.shape} and {m.g_end.shape}; "
                f"both must be (2, pairs, rows, columns)"
            )
        if not (np.isfinite(m.g_start).all() and np.isfinite(m.g_end).all()):
            raise DataError(f"{path}: {m.name} holds conductances that are not finite")
    if not found:
        raise DataError(f"{path} holds no matrix")
    return found


def _matrix(name: str, group: Any) -> Matrix:
    times = (float(group.attrs["t_start_s"]), float(group.attrs["t_end_s"]))
    return Matrix(name, group["g_start"][:], group["g_end"][:], *times)


def _read_columns(path: Path, names: Sequence[str]) -> Mapping[str, FloatArray]:
    """Columns `names` of a run log that has rows of them, all finite."""
    table = runlog.read(path)
    missing = [name for name in names if name not in table]
    if missing or not table[names[0]].size:
        raise DataError(f"{path} has no rows of {', '.join(missing or names)}")
    try:
        found = {name: table[name].astype(np.float64) for name in names}
    except (TypeError, ValueError) as error:
        raise DataError(f"{path} holds something other than numbers: {error}") from error
    for name, column in found.items():
        if column.ndim != 1 or not (np.abs(column) <= LARGEST).all():
            raise DataError(f"{path}: {name} must be a column of finite numbers")
    return found
