"""Train a network, in software and then, if wanted, with chips in the loop: one run folder."""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from pcmsim import runlog
from pcmsim.config import Config, Network, Training
from pcmsim.datasets import Dataset, load
from pcmsim.datasets.roll import KEYS
from pcmsim.devices import load_parameter_set
from pcmsim.errors import DataError, UsageError
from pcmsim.jobs import folder, in_loop
from pcmsim.loop import (
    Checkpoint,
    Disturbance,
    EpochReport,
    Fit,
    evaluate,
    fit,
    load_checkpoint,
)
from pcmsim.networks import SpikingNetwork, save_network
from pcmsim.rng import key

KIND = "train"
LOG = "log.h5"
AWARE = "aware"
TENSORBOARD = "tensorboard"
UNITS = {
    "epoch": "1",
    "train_nll": "nat/step",
    "valid_nll": "nat/step",
    "learning_rate": "1",
    "activity": "1",
    "seconds": "s",
}
SCALARS = ("train_nll", "valid_nll", "learning_rate", "activity")
OnEpoch = Callable[[EpochReport], None]


def train(
    config: Config,
    out: Path,
    data_path: Path | None = None,
    resume: bool = False,
    on_epoch: OnEpoch | None = None,
    on_load: Callable[[int, int], None] | None = None,
    on_aware: OnEpoch | None = None,
    on_loop: in_loop.OnLoopEpoch | None = None,
) -> dict[str, Any]:
    """Train what `config` describes into the folder `out` and return its results.

    `data_path` says where the data set lies; `on_epoch` is called after each epoch is logged,
    `on_load(done, total)` while a data set is built. With `resume`, a run that was stopped goes
    on from its last complete epoch to the same weights and log as an unbroken one, and of a run
    that has finished the results are returned.

    The folder holds `config.yaml`, `environment.json`, `log.h5` (one row per epoch), events for
    TensorBoard, `checkpoint.safetensors`, the best network on the validation split
    (`weights.safetensors` and `network.yaml`) and, last, `results.json`.

    With a section `loop` the network then trains on chips (`pcmsim.jobs.in_loop`), from the network
    of the section `aware` if there is one, which is kept in the folder `aware`; each chip has a
    folder of its own. `on_aware` and `on_loop(chip, epoch)` are called after epochs of these.

    Raises `UsageError` for a configuration or folder that cannot be used, before any work;
    `DataError` for data that cannot be used or a disk that refuses; `PcmsimError` if the loss is
    no longer finite; `HardwareError` for a chip that fails.
    """
    _check_sizes(config)
    in_loop.check(config)
    out = Path(out)
    if not resume:
        folder.check_new(out)
    else:
        folder.check_same(out, KIND, config)
        if (out / folder.RESULTS).exists():
            return folder.read_results(out, KIND)
    dataset = load(config.data, config.seed, data_path, on_load)
    if not resume:
        folder.create(out, KIND, config, dataset.source)
    else:
        folder.check_same_data(out, dataset.source)
    network, found = _train(config, dataset, out, on_epoch, SpikingNetwork(*_new(config)))
    results = _results(config, dataset, network, found)
    if config.loop is not None:
        start = network
        if config.aware is not None:
            start, aware = _train_aware(config, dataset, out / AWARE, on_aware, network)
            results["aware_metric"] = evaluate(start, dataset.test).per_step
            results["aware_seconds"] = math.fsum(report.seconds for report in aware.history)
        task = in_loop.Task(config, config.loop, network, start, dataset)
        results |= in_loop.train_on_chips(task, out, on_loop)
    folder.write_json(out / folder.RESULTS, results)
    return results


def _new(config: Config) -> tuple[Network, torch.Generator]:
    return config.network, torch.Generator().manual_seed(key(config.seed, "network"))


def _train(
    config: Config,
    dataset: Dataset,
    out: Path,
    on_epoch: OnEpoch | None,
    network: SpikingNetwork,
    training: Training | None = None,
    disturbance: Disturbance | None = None,
) -> tuple[SpikingNetwork, Fit]:
    """Train `network`, or go on from what is in `out`, and save it there."""
    start = load_checkpoint(out)
    _rewind(out / LOG, start)
    with _report(out, start, on_epoch) as report:
        settings = (training or config.training, config.seed, out, start, report, disturbance)
        found = fit(network, dataset, *settings)
    save_network(network, out)
    return network, found


def _train_aware(
    config: Config,
    dataset: Dataset,
    out: Path,
    on_epoch: OnEpoch | None,
    software: SpikingNetwork,
) -> tuple[SpikingNetwork, Fit]:
    """Train on devices drawn anew for every batch, from new weights or those of `software`."""
    aware = config.aware
    if aware is None:
        raise UsageError("this configuration has no section aware")
    values = load_parameter_set(config.hardware.device).values
    disturbance = Disturbance(values, aware, config.seed)
    network = SpikingNetwork(*_new(config))
    if aware.start == "software":
        network.load_state_dict(software.state_dict())
        disturbance.hold(network)
    return _train(config, dataset, out, on_epoch, network, aware.training, disturbance)


def _check_sizes(config: Config) -> None:
    for name in ("inputs", "outputs"):
        size = getattr(config.network, name)
        if size != KEYS:
            raise UsageError(f"network.{name} = {size}; piano rolls have {KEYS} keys: write {KEYS}")


def _rewind(log: Path, start: Checkpoint | None) -> None:
    """Drop the row of an epoch that was logged and then lost with its checkpoint.

    Raises `DataError` where log and checkpoint do not belong together; neither is touched then.
    """
    known = 0 if start is None else len(start.history)
    if not log.exists() and not known:
        return
    table = runlog.read(log)
    epochs = list(table.get("epoch", ()))
    complete = set(table) == set(UNITS) and epochs == list(range(1, len(epochs) + 1))
    if not complete or not known <= len(epochs) <= known + 1:
        raise DataError(
            f"{log} and the checkpoint beside it tell of different epochs; restore both from one "
            f"copy, or train again into a new folder"
        )
    runlog.truncate(log, known)


@contextlib.contextmanager
def _report(out: Path, start: Checkpoint | None, on_epoch: OnEpoch | None) -> Iterator[OnEpoch]:
    """Give a function that writes an epoch to the log and to TensorBoard and passes it on."""
    first = 1 if start is None else len(start.history) + 1
    with _writing(out):
        writer = SummaryWriter(str(out / TENSORBOARD), purge_step=first)

    def report(epoch: EpochReport) -> None:
        row = asdict(epoch)
        runlog.append(out / LOG, row, UNITS)
        with _writing(out):
            for name in SCALARS:
                writer.add_scalar(name, row[name], epoch.epoch)
            writer.flush()
        if on_epoch is not None:
            on_epoch(epoch)

    try:
        yield report
    finally:
        with _writing(out):
            writer.close()


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{out / TENSORBOARD} cannot be written ({error}); epochs logged before are intact: "
            f"free some space and resume the run"
        ) from error


def _results(
    config: Config, dataset: Dataset, network: SpikingNetwork, found: Fit
) -> dict[str, Any]:
    test = evaluate(network, dataset.test)
    spec = config.network
    return {
        "kind": KIND,
        "format": folder.FORMAT,
        "task": dataset.name,
        "network": "-".join(str(size) for size in (spec.inputs, *spec.hidden, spec.outputs)),
        "unit": spec.unit,
        "recurrent": spec.recurrent,
        "software_metric": test.per_step,
        "software_metric_per_sequence": test.per_sequence,
        "activity": test.activity,
        "valid_metric": found.valid_nll,
        "best_epoch": found.best_epoch,
        "epochs": len(found.history),
        "seconds": math.fsum(report.seconds for report in found.history),
        "seed": config.seed,
        "data_source": dataset.source,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
