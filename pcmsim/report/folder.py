"""A run folder: its training run, the chips in its loop and the drift runs in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pcmsim.errors import DataError, UsageError
from pcmsim.report import records
from pcmsim.report.operations_records import OperationsRun, read_operations
from pcmsim.report.records import FloatArray
from pcmsim.yamltext import load_yaml

RESULTS = "results.json"
LOG = "log.h5"
CONFIG = "config.yaml"
STUDY = "study"


@dataclass(frozen=True)
class Origin:
    """How a run came to be: its configuration as written and its environment."""

    name: str
    config: str
    environment: Mapping[str, Any]


@dataclass(frozen=True)
class LoopRun:
    """Training with the hardware in the loop.

    `logs` has the log of each chip, all of the same phases and epochs; `aware` the training log of
    the network it began with, if that saw noise; `rules` names the update rule of each phase, as
    far as the configuration tells.
    """

    results: records.InLoop
    logs: Sequence[Mapping[str, FloatArray]]
    aware: Mapping[str, FloatArray] | None
    rules: Sequence[str]


@dataclass(frozen=True)
class TrainingRun:
    """A finished training run; runs of earlier versions have counted no operations.

    A network from elsewhere has no `curves`.
    """

    results: records.Training
    curves: Mapping[str, FloatArray] | None
    in_loop: LoopRun | None
    operations: OperationsRun | None


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
    kind = kind_of(run)
    if kind not in ("train", "drift"):
        raise DataError(
            f"{run / RESULTS} is of kind {kind!r}; reports are made of train, drift and study"
        )
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


def kind_of(run: Path) -> str:
    """Kind of the run in the folder `run`; raises `DataError` if there is none."""
    if not (run / RESULTS).is_file():
        raise DataError(f"{run / RESULTS} is missing: not a run folder, or the run is not finished")
    return _kind(run)


def _kind(folder: Path) -> str:
    values = records.read_json(folder / RESULTS)
    if not isinstance(values, dict) or values.get("format") != records.FORMAT:
        raise DataError(
            f"{folder / RESULTS} is not of format {records.FORMAT}; use the version that wrote it"
        )
    return str(values.get("kind"))


def _training(run: Path) -> TrainingRun:
    path = run / RESULTS
    values = records.read_json(path)
    results = records.check(records.Training, values, path)
    with_loop = "stages" in values or "chips" in values
    return TrainingRun(
        results,
        records.read_curves(run / LOG) if results.epochs else None,
        _in_loop(run, values) if with_loop else None,
        read_operations(run, values, path),
    )


def _in_loop(run: Path, values: Any) -> LoopRun:
    path = run / RESULTS
    results = records.check(records.InLoop, values, path)
    for i, point in enumerate(results.stages):
        if len(point.per_chip) != len(results.chips):
            raise DataError(
                f"{path}: stages.{i}.per_chip has {len(point.per_chip)} values, and there are "
                f"{len(results.chips)} chips"
            )
    paths = [run / f"chip{chip.chip}" / LOG for chip in results.chips]
    logs = [records.read_loop_log(log) for log in paths]
    for log, table in zip(paths, logs, strict=True):
        if any(not np.array_equal(table[name], logs[0][name]) for name in ("phase", "epoch")):
            raise DataError(f"{log} tells of other epochs than {paths[0]}")
    aware = records.read_curves(run / "aware" / LOG) if results.aware_metric is not None else None
    return LoopRun(results, logs, aware, _rules(records.read_text(run / CONFIG)))


def _rules(config: str) -> Sequence[str]:
    """Names of the update rules of a configuration; none if it is not one with a loop."""
    try:
        return [str(phase["rule"]["name"]) for phase in load_yaml(config, CONFIG)["loop"]["phases"]]
    except (UsageError, KeyError, TypeError):
        return []


def _drift(folder: Path) -> DriftRun:
    results, device = folder / RESULTS, folder / "device.json"
    return DriftRun(
        name=folder.resolve().name,
        results=records.check(records.Drift, records.read_json(results), results),
        device=records.check(records.Device, records.read_json(device), device),
        matrices=records.read_matrices(folder / "arrays.h5"),
    )


def _origin(folder: Path, required: bool) -> Origin:
    config, environment = folder / CONFIG, folder / "environment.json"
    text = records.read_text(config) if required or config.exists() else ""
    values = records.read_json(environment) if required or environment.exists() else {}
    if not isinstance(values, dict):
        raise DataError(f"{environment} holds no named values")
    return Origin(folder.resolve().name, text, values)
