"""A run folder: its training run and the drift runs in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcmsim.errors import DataError
from pcmsim.report import records

RESULTS = "results.json"


@dataclass(frozen=True)
class Origin:
    """How a run came to be: its configuration as written and its environment."""

    name: str
    config: str
    environment: Mapping[str, Any]


@dataclass(frozen=True)
class TrainingRun:
    """A finished training run."""

    results: records.Training
    curves: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class DriftRun:
    """A finished drift run; `name` is that of its folder."""

    name: str
    results: records.Drift
    device: records.Device
    matrices: Sequence[records.Matrix]


@dataclass(frozen=True)
class Run:
    """Everything a page shows."""

    name: str
    training: TrainingRun | None
    drifts: Sequence[DriftRun]
    origins: Sequence[Origin]


def read_run(run: Path) -> Run:
    """Read the run in the folder `run` and the drift runs in its subfolders.

    Raises `DataError` that names the file that is missing or damaged.
    """
    if not (run / RESULTS).is_file():
        raise DataError(f"{run / RESULTS} is missing: not a run folder, or the run is not finished")
    kind = _kind(run)
    if kind not in ("train", "drift"):
        raise DataError(f"{run / RESULTS} is of kind {kind!r}; reports are made of train and drift")
    inside = sorted(p.parent for p in run.glob(f"*/{RESULTS}") if _kind(p.parent) == "drift")
    drifts = ([run] if kind == "drift" else []) + inside
    return Run(
        name=run.resolve().name,
        training=_training(run) if kind == "train" else None,
        drifts=[_drift(folder) for folder in drifts],
        origins=[
            _origin(folder, required=kind == "train" and folder is run) for folder in [run, *inside]
        ],
    )


def _kind(folder: Path) -> str:
    values = records.read_json(folder / RESULTS)
    if not isinstance(values, dict) or values.get("format") != records.FORMAT:
        raise DataError(
            f"{folder / RESULTS} is not of format {records.FORMAT}; use the version that wrote it"
        )
    return str(values.get("kind"))


def _training(run: Path) -> TrainingRun:
    path = run / RESULTS
    results = records.check(records.Training, records.read_json(path), path)
    return TrainingRun(results, records.read_curves(run / "log.h5"))


def _drift(folder: Path) -> DriftRun:
    results, device = folder / RESULTS, folder / "device.json"
    return DriftRun(
        name=folder.resolve().name,
        results=records.check(records.Drift, records.read_json(results), results),
        device=records.check(records.Device, records.read_json(device), device),
        matrices=records.read_matrices(folder / "arrays.h5"),
    )


def _origin(folder: Path, required: bool) -> Origin:
    config, environment = folder / "config.yaml", folder / "environment.json"
    text = records.read_text(config) if required or config.exists() else ""
    values = records.read_json(environment) if required or environment.exists() else {}
    if not isinstance(values, dict):
        raise DataError(f"{environment} holds no named values")
    return Origin(folder.resolve().name, text, values)
