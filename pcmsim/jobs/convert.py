"""A trained network as a NIR file, and a NIR file as a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pcmsim.config import Config
from pcmsim.datasets import load
from pcmsim.errors import DataError, UsageError
from pcmsim.interchange import DT_S, from_nir, read_nir, to_nir, write_nir
from pcmsim.jobs import folder, operations
from pcmsim.jobs.sizes import check_found, check_sizes
from pcmsim.jobs.train import KIND, results_of
from pcmsim.loop import Fit, evaluate
from pcmsim.networks import SpikingNetwork, load_network, save_network


@dataclass(frozen=True)
class Conversion:
    """What was written where; `results` are those of a run folder, if one was written."""

    network: SpikingNetwork
    path: Path
    results: dict[str, Any] | None = None


def convert(
    source: Path,
    target: Path,
    dt_s: float | None = None,
    config: Config | None = None,
    data_path: Path | None = None,
) -> Conversion:
    """Write the network in the folder `source` to the NIR file `target`, or the other way round.

    `dt_s` is the time step [s] under which the graph sends the network's spikes (see
    `pcmsim.interchange`): 1e-4 unless given, and of a graph to be read what it says itself. A
    folder that is written holds `network.yaml` and `weights.safetensors`. With a `config` it is a
    run folder, as of training that took no epoch: the network, in the place of that of `config`,
    is tested on its data, and drift, studies and reports take the folder. `data_path` says where
    the data set lies.

    Raises `UsageError` for a network that NIR cannot express or that does not fit the data, a
    source that is missing and a target that is there already, and `DataError` for files that cannot
    be used; nothing is written then.
    """
    source, target = Path(source), Path(target)
    if source.is_dir():
        return _exported(source, target, dt_s, config)
    if not source.exists():
        raise UsageError(f"{source} is neither a run folder nor a NIR file")
    folder.check_new(target)
    graph = read_nir(source)
    try:
        network = from_nir(graph, dt_s)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error
    if config is None:
        save_network(network, target)
        return Conversion(network, target)
    left_out = dict.fromkeys(("loop", "aware", "live"))
    taken = config.model_copy(update={"network": network.spec, **left_out})
    return Conversion(network, target, _as_run(network, taken, target, data_path))


def _exported(source: Path, target: Path, dt_s: float | None, config: Config | None) -> Conversion:
    if config is not None:
        raise UsageError(f"{source} is a run folder; a configuration belongs to a NIR file")
    if target.exists():
        raise UsageError(f"{target} exists already; name a file that does not")
    network = load_network(source)
    write_nir(to_nir(network, DT_S if dt_s is None else dt_s), target)
    return Conversion(network, target)


def _as_run(
    network: SpikingNetwork, config: Config, out: Path, data_path: Path | None
) -> dict[str, Any]:
    """Write the folder of a run that has trained no epoch, and return its results."""
    check_sizes(config)
    dataset = load(config.data, config.seed, data_path)
    check_found(config, dataset)
    found = Fit(0, evaluate(network, dataset.valid).per_step, ())
    results = results_of(config, dataset, network, found)
    folder.create(out, KIND, config, dataset.source)
    save_network(network, out)
    operations.save_raster(out / operations.RASTER, network, dataset.test)
    folder.write_json(out / folder.RESULTS, results)
    return results
