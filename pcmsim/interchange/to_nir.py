"""A network of spiking units as a NIR graph."""

from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from pcmsim.errors import UsageError
from pcmsim.networks import SpikingNetwork

DT_S = 1e-4
FloatArray = NDArray[Any]
_WHY_NOT = {
    "ssnu": "the output of soft units is no spike",
    "li_snu": "no node lets a spike reset the other units of its layer",
    "asnu": "no node has a threshold that rises with its spikes",
    "alif": "no node has a threshold that rises with its spikes",
}


def to_nir(network: SpikingNetwork, dt_s: float = DT_S) -> nir.NIRGraph:
    """Graph whose spikes under the forward Euler step `dt_s` [s] are those of `network`.

    Weights are (outputs, inputs) in NIR and have the precision of the network; what follows from
    decays that are trained is kept in double precision, from which the same logits come back.
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
    edges: list[tuple[str, str]] = []
    last = "input"
    for name in network.hidden:
        last = _add_layer(network, name, last, dt_s, nodes, edges)
    last = _add_readout(network, last, dt_s, nodes, edges)
    nodes["output"] = nir.Output({"output": np.array([network.spec.outputs])})
    edges.append((last, "output"))
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
    if spec.unit in _WHY_NOT:
        raise UsageError(
            f"network.unit = {spec.unit}: NIR cannot express it, {_WHY_NOT[spec.unit]}; snu and "
            f"lif can be converted"
        )
    if spec.convolutions:
        raise UsageError(
            "network.convolutions: pixels of a layer share one matrix here, and no convolution is "
            "written to NIR; only networks without them can be converted"
        )
    if spec.activation != "identity":
        raise UsageError(
            f"network.activation = {spec.activation}: NIR has no node that bends the potential; "
            f"only identity can be converted"
        )


def _add_layer(
    network: SpikingNetwork,
    name: str,
    last: str,
    dt_s: float,
    nodes: dict[str, nir.NIRNode],
    edges: list[tuple[str, str]],
) -> str:
    """Add a spiking layer behind the node `last`, and return the node that sends its spikes."""
    weight, back = f"{name}.weight", f"{name}.recurrent"
    nodes[weight] = nir.Linear(_array(network, weight).T.copy())
    edges.append((last, weight))
    add = _add_lif if network.spec.unit == "lif" else _add_snu
    receiver, sender = add(network, name, dt_s, nodes, edges)
    edges.append((weight, receiver))
    if back in network.matrices():
        nodes[back] = nir.Linear(_array(network, back).T.copy())
        edges += [(sender, back), (back, receiver)]
    return sender


def _add_snu(
    network: SpikingNetwork,
    name: str,
    dt_s: float,
    nodes: dict[str, nir.NIRNode],
    edges: list[tuple[str, str]],
) -> tuple[str, str]:
    """Units that lose their potential: a LIF node, or an IF node where nothing leaks."""
    lif, threshold = f"{name}.lif", _array(network, f"{name}.threshold")
    zeros = np.zeros_like(threshold)
    if not network.spec.trained_decay and network.spec.decay == 1.0:
        nodes[lif] = nir.IF(np.full_like(threshold, 1.0 / dt_s), threshold, zeros)
    else:
        steps = _steps(network, name)
        # One decay of all is found again whatever the precision; logits are not.
        kept = steps.dtype if network.spec.trained_decay else threshold.dtype
        tau, r = (dt_s * steps).astype(kept), steps.astype(kept)
        nodes[lif] = nir.LIF(tau, r, zeros, threshold, zeros)
    return lif, lif


def _add_lif(
    network: SpikingNetwork,
    name: str,
    dt_s: float,
    nodes: dict[str, nir.NIRNode],
    edges: list[tuple[str, str]],
) -> tuple[str, str]:
    """Units that lose their threshold: a LI node, its threshold, and what a spike takes from it."""
    leak, spike, reset = f"{name}.leak", f"{name}.spike", f"{name}.reset"
    threshold = _array(network, f"{name}.threshold")
    steps = _steps(network, name)
    nodes[leak] = nir.LI(dt_s * steps, np.ones_like(steps), np.zeros_like(steps))
    nodes[spike] = nir.Threshold(threshold)
    nodes[reset] = nir.Scale(-threshold * steps)
    edges += [(leak, spike), (spike, reset), (reset, leak)]
    return leak, spike


def _add_readout(
    network: SpikingNetwork,
    last: str,
    dt_s: float,
    nodes: dict[str, nir.NIRNode],
    edges: list[tuple[str, str]],
) -> str:
    kind = network.spec.readout.name
    if kind == "spiking":
        return _add_layer(network, "readout", last, dt_s, nodes, edges)
    weight = _array(network, "readout.weight").T.copy()
    nodes["readout"] = nir.Affine(weight, _array(network, "readout.bias"))
    edges.append((last, "readout"))
    if kind != "leaky":
        return "readout"
    steps = _steps_of(_array(network, "readout.decay_logit"))
    nodes["readout.leak"] = nir.LI(dt_s * steps, np.ones_like(steps), np.zeros_like(steps))
    edges.append(("readout", "readout.leak"))
    return "readout.leak"


def _steps(network: SpikingNetwork, name: str) -> FloatArray:
    """Time constants in steps, 1 / (1 - decay), of the units of a layer."""
    if network.spec.trained_decay:
        return _steps_of(_array(network, f"{name}.decay_logit"))
    units = network.get_parameter(f"{name}.threshold").numel()
    return np.full(units, 1.0 / (1.0 - (network.spec.decay or 0.0)))


def _steps_of(logit: FloatArray) -> FloatArray:
    return np.asarray(1.0 + np.exp(logit.astype(np.float64)))


def _array(network: SpikingNetwork, name: str) -> FloatArray:
    values: FloatArray = network.get_parameter(name).detach().cpu().numpy().copy()
    return values
