"""A trained network as a NIR file, and a NIR file as a network."""

from dataclasses import dataclass
from pathlib import Path

from pcmsim.errors import DataError, UsageError
from pcmsim.interchange import DT_S, from_nir, read_nir, to_nir, write_nir
from pcmsim.jobs import folder
from pcmsim.networks import SpikingNetwork, load_network, save_network


@dataclass(frozen=True)
class Conversion:
    """What was written where."""

    network: SpikingNetwork
    path: Path


def convert(source: Path, target: Path, dt_s: float | None = None) -> Conversion:
    """Write the network in the folder `source` to the NIR file `target`, or the other way round.

    `dt_s` is the time step [s] under which the graph sends the network's spikes (see
    `pcmsim.interchange`): 1e-4 unless given, and of a graph to be read what it says itself. A
    folder that is written holds `network.yaml` and `weights.safetensors`.

    Raises `UsageError` for a network that NIR cannot express, a source that is missing and a target
    that is there already, and `DataError` for files that cannot be used; nothing is written then.
    """
    source, target = Path(source), Path(target)
    if source.is_dir():
        if target.exists():
            raise UsageError(f"{target} exists already; name a file that does not")
        network = load_network(source)
        write_nir(to_nir(network, DT_S if dt_s is None else dt_s), target)
        return Conversion(network, target)
    if not source.exists():
        raise UsageError(f"{source} is neither a run folder nor a NIR file")
    folder.check_new(target)
    graph = read_nir(source)
    try:
        network = from_nir(graph, dt_s)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error
    save_network(network, target)
    return Conversion(network, target)
