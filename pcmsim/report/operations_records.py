"""What a report needs of the operations of a network, checked: counts, prices, a raster."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from pcmsim.errors import DataError
from pcmsim.report.records import NotNegative, Number, Whole, check

_CONFIG = ConfigDict(extra="ignore")
RASTER = "raster.h5"


@checked(frozen=True, config=_CONFIG)
class Figure:
    """One published number."""

    value: Number
    unit: str
    source: str


@checked(frozen=True, config=_CONFIG)
class Pair:
    """Energy of a multiply-accumulate and of an accumulate [pJ]."""

    name: str
    title: str
    mac_pj: Figure
    ac_pj: Figure


@checked(frozen=True, config=_CONFIG)
class OnArrays:
    """Energy on arrays of devices [pJ]: per step, and of programming them once."""

    device_pj: NotNegative
    product_pj: NotNegative
    program_pj: NotNegative


@checked(frozen=True, config=_CONFIG)
class Layer:
    """Counts of one layer per step; the last three are None where it sends logits."""

    name: str
    inputs: Whole
    units: Whole
    macs: NotNegative
    acs: NotNegative
    dense_macs: NotNegative
    arrays: OnArrays
    binary: bool | None = None
    rate: NotNegative | None = None
    mean_output: NotNegative | None = None


@checked(frozen=True, config=_CONFIG)
class Figures:
    """What the estimate of arrays was made with."""

    read_voltage_v: Figure
    read_s: Figure
    column_pj: Figure
    program_pj: Figure


@checked(frozen=True, config=_CONFIG)
class Operations:
    """Operations of a network per step, over `steps` of a split."""

    split: str
    steps: Annotated[Whole, Field(gt=0)]
    sequences: Annotated[Whole, Field(gt=0)]
    inputs_rate: NotNegative
    device_set: str
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]
    pairs: Annotated[tuple[Pair, ...], Field(min_length=1)]
    figures: Figures


@dataclass(frozen=True)
class Raster:
    """Outputs of a layer in one sequence as bytes (steps, units), and how many there were."""

    name: str
    grey: NDArray[Any]
    steps: int
    units: int


@dataclass(frozen=True)
class OperationsRun:
    """Counts and rasters of a run."""

    counts: Operations
    rasters: Sequence[Raster]


def read_operations(run: Path, values: Any, results: Path) -> OperationsRun | None:
    """Operations in the folder `run` from the content of its `results`; None where it has none.

    Raises `DataError` that names the file that is missing or damaged.
    """
    if "operations" not in values:
        return None
    counts = check(Operations, values["operations"], results)
    return OperationsRun(counts, read_raster(run / RASTER))


def read_raster(path: Path) -> Sequence[Raster]:
    """Rasters of the hidden layers; raises `DataError` if the file is missing or damaged."""
    try:
        with h5py.File(path, "r") as file:
            found = [_raster(name, data) for name, data in file.items()]
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise DataError(f"{path} cannot be read as rasters: {error}") from error
    for raster in found:
        if raster.grey.ndim != 2 or raster.grey.dtype != np.uint8 or not raster.grey.size:
            raise DataError(
                f"{path}: {raster.name} holds {raster.grey.dtype} of shape {raster.grey.shape}; "
                f"bytes (steps, units) were expected"
            )
    if not found:
        raise DataError(f"{path} holds no layer")
    return found


def _raster(name: str, data: Any) -> Raster:
    return Raster(name, np.asarray(data[:]), int(data.attrs["steps"]), int(data.attrs["units"]))
