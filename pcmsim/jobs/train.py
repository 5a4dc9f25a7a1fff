"""Train a network, in software and then, if wanted, with chips in the loop: one run folder."""

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pcmsim import runlog
from pcmsim.config import Config, Fluctuation, load_config
from pcmsim.datasets import Dataset, load
from pcmsim.devices import load_parameter_set
from pcmsim.errors import DataError, UsageError
from pcmsim.files import replace
from pcmsim.jobs import folder, in_loop, operations, software
from pcmsim.jobs.learning import check_learning
from pcmsim.jobs.sizes import check_found, check_sizes
from pcmsim.loop import (
    Disturbance,
    EpochReport,
    Fit,
    evaluate,
    inputs,
    load_checkpoint,
    one_thread,
)
from pcmsim.networks import SpikingNetwork, fluctuate, shape_text
from pcmsim.rng import key
from pcmsim.units import perplexity

KIND = "train"
AWARE = "aware"
TAKING = "taking-over.json"
CHECKPOINT = "checkpoint.safetensors"
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
    known: Path | None = None,
) -> dict[str, Any]:
    """Train what `config` describes into the folder `out` and return its results.

    `data_path` says where the data set lies; `on_epoch` is called after each epoch is logged,
    `on_load(done, total)` while a data set is built. With `resume`, a run that was stopped goes
    on from its last complete epoch to the same weights and log as an unbroken one, and of a run
    that has finished the results are returned.

    The folder holds `config.yaml`, `environment.json`, `log.h5` (one row per epoch), events for
    TensorBoard, `checkpoint.safetensors`, the best network on the validation split
    (`weights.safetensors` and `network.yaml`), `raster.h5` with the hidden outputs of one test
    sequence and, last, `results.json`.

    With a section `loop` the network then trains on chips (`pcmsim.jobs.in_loop`), from the network
    of the section `aware` if there is one, which is kept in the folder `aware`; each chip has a
    folder of its own. `on_aware` and `on_loop(chip, epoch)` are called after epochs of these.
    `known` is a run with the same seed, data, network, training and learning: what it has trained
    in software is taken over and not trained again.

    Raises `UsageError` for a configuration or folder that cannot be used, before any work;
    `DataError` for data that cannot be used or a disk that refuses; `PcmsimError` if the loss is
    no longer finite; `HardwareError` for a chip that fails.
    """
    check_sizes(config)
    check_learning(config)
    in_loop.check(config)
    out = Path(out)
    if not resume:
        folder.check_new(out)
        if known is not None:
            _check_known(config, known)
    else:
        folder.check_same(out, KIND, config)
        if (out / folder.RESULTS).exists():
            return folder.read_results(out, KIND)
    dataset = load(config.data, config.seed, data_path, on_load)
    check_found(config, dataset)
    new = _new(config, dataset)
    if not resume:
        if known is not None:
            folder.check_same_data(known, dataset.source)
            _check_whole(config, known)
        folder.create(out, KIND, config, dataset.source)
        if known is not None:
            folder.write_json(out / TAKING, {"known": str(known.resolve())})
    else:
        folder.check_same_data(out, dataset.source)
    with folder.at_work(out):
        _take_over(config, out)
        return _run(config, dataset, new, out, on_epoch, on_aware, on_loop)


def _run(
    config: Config,
    dataset: Dataset,
    new: SpikingNetwork,
    out: Path,
    on_epoch: OnEpoch | None,
    on_aware: OnEpoch | None,
    on_loop: in_loop.OnLoopEpoch | None,
) -> dict[str, Any]:
    network, found = software.train_network(config, dataset, out, on_epoch, new)
    results = results_of(config, dataset, network, found)
    operations.save_raster(out / operations.RASTER, network, dataset.test)
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


def _check_known(config: Config, known: Path) -> None:
    """Refuse a run whose networks are not those that `config` would train."""
    before = load_config(known / folder.CONFIG)
    wanted = ["seed", "data", "network", "training", "learning"]
    for name in wanted if config.aware is None else [*wanted, "aware"]:
        if getattr(before, name) != getattr(config, name):
            raise UsageError(f"{known} was trained with another {name}; train without it")
    device = folder.read_json(known / folder.ENVIRONMENT).get("device_sha256")
    if config.aware is not None and device not in (None, folder.device_hash(config)):
        raise UsageError(f"{known} was trained for other devices; train without it")


def _check_whole(config: Config, known: Path) -> None:
    """Refuse a run whose log and checkpoint do not both tell of all epochs."""
    wanted = [("", config.training.epochs)]
    if config.aware is not None:
        wanted.append((AWARE, config.aware.training.epochs))
    for name, epochs in wanted:
        saved, log = load_checkpoint(known / name), known / name / software.LOG
        rows = len(runlog.read(log)["epoch"]) if log.exists() else 0
        if saved is None or len(saved.history) != epochs or rows != epochs:
            raise DataError(f"{known / name} has not finished its {epochs} epochs; resume it first")


def _take_over(config: Config, out: Path) -> None:
    """Copy what was trained before, if it is to be; a copy that was broken off is made again."""
    if not (out / TAKING).exists():
        return
    known = Path(folder.read_json(out / TAKING)["known"])
    for name in ("",) if config.aware is None else ("", AWARE):
        for file in (CHECKPOINT, software.LOG):
            replace(out / name / file, (known / name / file).read_bytes())
    (out / TAKING).unlink()


def _new(config: Config, dataset: Dataset) -> SpikingNetwork:
    """A network before training, the same for the same configuration and data."""
    generator = torch.Generator().manual_seed(key(config.seed, "network"))
    network = SpikingNetwork(config.network, generator)
    initial = config.network.initial
    if isinstance(initial, Fluctuation):
        count = min(initial.sequences, len(dataset.train))
        batch = dataset.train.batch(range(count))
        with one_thread():
            fluctuate(network, inputs(batch), torch.from_numpy(batch.mask), initial)
    return network


def _train_aware(
    config: Config,
    dataset: Dataset,
    out: Path,
    on_epoch: OnEpoch | None,
    trained: SpikingNetwork,
) -> tuple[SpikingNetwork, Fit]:
    """Train on devices drawn anew for every batch, from new weights or those of `trained`."""
    aware = config.aware
    if aware is None:
        raise UsageError("this configuration has no section aware")
    values = load_parameter_set(config.hardware.device).values
    disturbance = Disturbance(values, aware, config.seed, config.hardware)
    network = _new(config, dataset)
    if aware.start == "software":
        network.load_state_dict(trained.state_dict())
        disturbance.hold(network)
    return software.train_network(
        config, dataset, out, on_epoch, network, aware.training, disturbance
    )


def results_of(
    config: Config, dataset: Dataset, network: SpikingNetwork, found: Fit
) -> dict[str, Any]:
    """Results of `network`, which training has `found`, on the test split."""
    test = evaluate(network, dataset.test)
    spec, metric = config.network, dataset.metric
    words = perplexity(test.per_step, metric.unit)
    return {
        "kind": KIND,
        "format": folder.FORMAT,
        "task": dataset.name,
        "network": shape_text(spec),
        "unit": spec.unit,
        "recurrent": spec.recurrent,
        "metric": asdict(metric),
        "software_metric": test.per_step,
        "software_metric_per_sequence": test.per_sequence,
        "activity": test.activity,
        "valid_metric": found.valid_metric,
        "best_epoch": found.best_epoch,
        "epochs": len(found.history),
        "seconds": math.fsum(report.seconds for report in found.history),
        "seed": config.seed,
        "data_source": dataset.source,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "operations": operations.described(network, dataset.test, config.hardware),
    } | ({} if words is None else {"perplexity": words})
