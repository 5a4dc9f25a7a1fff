"""Train a network, in software and then, if wanted, with chips in the loop: one run folder."""

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pcmsim.config import Config, Fluctuation
from pcmsim.datasets import Dataset, load
from pcmsim.devices import load_parameter_set
from pcmsim.errors import UsageError
from pcmsim.jobs import folder, in_loop, operations, software
from pcmsim.jobs import known as known_run
from pcmsim.jobs.learning import check_learning
from pcmsim.jobs.sizes import check_found, check_sizes
from pcmsim.loop import (
    Disturbance,
    EpochReport,
    Fit,
    evaluate,
    inputs,
    one_thread,
)
from pcmsim.networks import SpikingNetwork, fluctuate, shape_text
from pcmsim.rng import key
from pcmsim.units import perplexity

KIND = "train"
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
            known_run.check_known(config, known)
    else:
        folder.check_same(out, KIND, config)
        if (out / folder.RESULTS).exists():
            return folder.read_results(out, KIND)
    dataset = load(config.data, config.seed, data_path, on_load)
    check_found(config, dataset)
    new = new_network(config, dataset)
    if not resume:
        if known is not None:
            folder.check_same_data(known, dataset.source)
            known_run.check_whole(config, known)
        folder.create(out, KIND, config, dataset.source)
        if known is not None:
            known_run.remember(known, out)
    else:
        folder.check_same_data(out, dataset.source)
    with folder.at_work(out):
        known_run.take_over(config, out)
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
            start, aware = _train_aware(config, dataset, out / known_run.AWARE, on_aware, network)
            results["aware_metric"] = evaluate(start, dataset.test).per_step
            results["aware_seconds"] = math.fsum(report.seconds for report in aware.history)
        task = in_loop.Task(config, config.loop, network, start, dataset)
        results |= in_loop.train_on_chips(task, out, on_loop)
    folder.write_json(out / folder.RESULTS, results)
    return results


def new_network(config: Config, dataset: Dataset) -> SpikingNetwork:
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
    network = new_network(config, dataset)
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
