"""A network of spiking neural units as a NIR graph."""

from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from pcmsim.errors import UsageError
from pcmsim.networks import SpikingNetwork

DT_S = 1e-4
FloatArray = NDArray[Any]


def to_nir(network: SpikingNetwork, dt_s: float = DT_S) -> nir.NIRGraph:
    """Graph whose spikes under the forward Euler step `dt_s` [s] are those of `network`.

    Weights are (outputs, inputs) in NIR. Numbers have the precision of the network.
    Raises `UsageError` for a network that NIR has no nodes for, and a step that is none.

    >>> from pcmsim.config import Network
    >>> graph = to_nir(SpikingNetwork(Network(unit="snu", decay=0.75)), dt_s=1e-3)
    >>> sorted(graph.nodes)
    ['hidden0.lif', 'hidden0.weight', 'input', 'output', 'readout']
    >>> round(float(graph.nodes["hidden0.lif"].tau[0]), 9), float(graph.nodes["hidden0.lif"].r[0])
    (0.004, 4.0)
    """
    _check(network, dt_s)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array([network.spec.inputs])})}
    edges = []
    last = "input"
    for name in network.hidden:
        weight, lif, back = f"{name}.weight", f"{name}.lif", f"{name}.recurrent"
        nodes[weight] = nir.Linear(_array(network, weight).T.copy())
        nodes[lif] = _lif(_array(network, f"{name}.threshold"), network.spec.decay or 0.0, dt_s)
        edges += [(last, weight), (weight, lif)]
        if network.spec.recurrent:
            nodes[back] = nir.Linear(_array(network, back).T.copy())
            edges += [(lif, back), (back, lif)]
        last = lif
    readout = _array(network, "readout.weight").T.copy()
    nodes["readout"] = nir.Affine(readout, _array(network, "readout.bias"))
    nodes["output"] = nir.Output({"output": np.array([network.spec.outputs])})
    edges += [(last, "readout"), ("readout", "output")]
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt_s": float(dt_s)})


def _check(network: SpikingNetwork, dt_s: float) -> None:
    spec = network.spec
    if not 1e-12 <= dt_s <= 1e3:
        raise UsageError(f"dt_s = {dt_s:g}: the time step must lie between 1e-12 and 1000 s")
    if spec.embedding is not None:
        raise UsageError(
            f"network.embedding = {spec.embedding}: NIR has no node that looks words up; only "
            f"networks that are given values can be converted"
        )
    if spec.unit != "snu":
        raise UsageError(
            f"network.unit = {spec.unit}: NIR has no node for such units; only snu can be converted"
        )
    if spec.activation != "identity":
        raise UsageError(
            f"network.activation = {spec.activation}: NIR has no node that bends the potential; "
            f"only identity can be converted"
        )
    if spec.trained_decay or spec.readout.name != "dense":
        raise UsageError(
            "only networks with one fixed decay (network.trained_decay: false) and "
            "network.readout: dense can be converted"
        )
    if spec.decay is None or spec.decay >= 1.0:
        raise UsageError(
            "network.decay = 1: units without leak have no time constant; only decays below one "
            "can be converted"
        )


def _lif(threshold: FloatArray, decay: float, dt_s: float) -> nir.LIF:
    def filled(value: float) -> FloatArray:
        return np.full_like(threshold, value)

    return nir.LIF(
        tau=filled(dt_s / (1.0 - decay)),
        r=filled(1.0 / (1.0 - decay)),
        v_leak=filled(0.0),
        v_threshold=threshold,
        v_reset=filled(0.0),
    )


def _array(network: SpikingNetwork, name: str) -> FloatArray:
    values: FloatArray = network.get_parameter(name).detach().cpu().numpy().copy()
    return values
