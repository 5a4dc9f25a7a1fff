"""A network of spiking units from a NIR graph."""

from collections.abc import Sequence
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray

from pcmsim.config import Network
from pcmsim.config.base import LARGEST
from pcmsim.errors import DataError, UsageError
from pcmsim.interchange.cells import Cells, finite, layer_cells, leaky_cells
from pcmsim.interchange.flatten import flatten
from pcmsim.interchange.walk import UnitNodes, Way, walk
from pcmsim.networks import SpikingNetwork

FloatArray = NDArray[Any]


def from_nir(graph: nir.NIRGraph, dt_s: float | None = None) -> SpikingNetwork:
    """Network that sends the spikes of `graph` under the forward Euler step `dt_s` [s].

    `dt_s` defaults to that in the metadata of the graph. The resistance goes into the weights:
    W = W_nir R dt / tau. If all units have one decay 1 - dt/tau, it is fixed, and of the decimals
    that the precision of the file cannot tell from it the shortest is taken; decays that differ
    become decays that are trained. Numbers keep the precision of the weights in the file.

    Raises `DataError` that names a node which no network here has, or whose numbers are of the
    wrong shape or not finite, and `UsageError` for a time step that is missing or none.

    >>> from pcmsim.interchange import to_nir
    >>> network = from_nir(to_nir(SpikingNetwork(Network(unit="snu", decay=0.85))))
    >>> network.spec.decay, network.spec.hidden
    (0.85, (150,))
    """
    graph = flatten(graph)
    way = walk(graph)
    step_s = _step_s(graph, dt_s)
    sizes = _check_shapes(graph, way)
    cells = [
        layer_cells(graph, layer, units, step_s)
        for layer, units in zip(way.layers, sizes[1:], strict=False)
    ]
    leak = None
    if way.leak is not None:
        leak = leaky_cells(graph, way.leak, sizes[-1], step_s)
        _check_inside(way.leak, leak)
    _check_sizes(way, sizes)
    spec = _spec(way, sizes, cells)
    network = SpikingNetwork(spec, dtype=_dtype(graph))
    with np.errstate(over="ignore"):  # told with the name of the matrix
        found = _state(graph, way, cells, leak, network)
    network.load_state_dict(found)
    return network


def _spec(way: Way, sizes: tuple[int, ...], cells: Sequence[Cells]) -> Network:
    unit, decay = _unit(way), _decay(cells)
    if decay is None or unit == "lif":
        for layer, own in zip(way.layers, cells, strict=True):
            _check_inside(layer.cell, own)
    return Network.model_validate(
        {
            "unit": unit,
            "inputs": sizes[0],
            "hidden": sizes[1:-1],
            "outputs": sizes[-1],
            "recurrent": _recurrent(way),
            "trained_decay": decay is None,
            "decay": decay,
            "readout": {"name": way.kind},
        }
    )


def _step_s(graph: nir.NIRGraph, dt_s: float | None) -> float:
    known = graph.metadata.get("dt_s")
    step_s = known if dt_s is None else dt_s
    if step_s is None:
        raise UsageError(
            "the graph does not tell the time step it was made for; give one: 1e-4 s is that of "
            "snnTorch"
        )
    if np.shape(step_s) != () or not isinstance(step_s, int | float | np.floating | np.integer):
        raise DataError(f"dt_s of the graph is {step_s!r:.60}; a time in seconds was expected")
    if not 1e-12 <= step_s <= 1e3:
        raise UsageError(f"dt_s = {step_s:g}: the time step must lie between 1e-12 and 1000 s")
    return float(step_s)


def _check_shapes(graph: nir.NIRGraph, way: Way) -> tuple[int, ...]:
    """Numbers of inputs, of units of each layer and of outputs.

    Refuses matrices that do not fit what they lie between, and currents without an input.
    """
    sizes = [_inputs(graph)]
    weights = [(layer.weight, False) for layer in way.layers]
    if way.kind != "spiking":
        weights.append((way.readout, True))
    for name, biased in weights:
        units = len(np.atleast_1d(graph.nodes[name].weight))
        _check_matrix(graph, name, (units, sizes[-1]), biased)
        sizes.append(units)
    for layer, units in zip(way.layers, sizes[1:], strict=False):
        if layer.recurrent is not None:
            _check_matrix(graph, layer.recurrent, (units, units), biased=False)
    return tuple(sizes)


def _check_sizes(way: Way, sizes: Sequence[int]) -> None:
    """Refuse more inputs, units or outputs than a network here may have."""
    names = ["input", *(layer.weight for layer in way.layers), way.readout]
    for name, size in zip(names, sizes, strict=False):
        if not 1 <= size <= LARGEST:
            raise DataError(f"node {name} has {size} values; layers here have 1 to {LARGEST}")


def _inputs(graph: nir.NIRGraph) -> int:
    """How many inputs the one node of input has."""
    (name,) = (name for name, node in graph.nodes.items() if isinstance(node, nir.Input))
    shape = np.asarray((graph.nodes[name].input_type or {}).get("input"))
    if shape.dtype.kind not in "iu" or shape.size != 1:
        raise DataError(f"node {name}: inputs have shape {shape.tolist()}; one axis is needed")
    return int(shape.item())


def _check_matrix(graph: nir.NIRGraph, name: str, shape: tuple[int, int], biased: bool) -> None:
    node = graph.nodes[name]
    weight = finite(name, "weight", node.weight)
    if weight.shape != shape or not weight.size:
        raise DataError(f"node {name}: weight has shape {weight.shape}; {shape} is needed")
    if not isinstance(node, nir.Affine):
        return
    bias = finite(name, "bias", node.bias)
    if bias.shape != shape[:1]:
        raise DataError(f"node {name}: bias has shape {bias.shape}; {shape[:1]} is needed")
    if not biased and np.any(bias != 0.0):
        raise DataError(f"node {name}: bias is not zero; units here have thresholds and no bias")


def _unit(way: Way) -> str:
    """Units that keep their potential when they spike are lif, those that lose it snu."""
    kinds = {"snu" if layer.reset is None else "lif" for layer in way.layers}
    if len(kinds) > 1:
        raise DataError(
            "some units lose their potential with a spike (LIF, IF) and others their threshold "
            "(LI with Threshold and Scale); all must be of one kind"
        )
    return kinds.pop()


def _decay(cells: Sequence[Cells]) -> float | None:
    """The one decay of all units, as the shortest decimal that the file cannot tell from it.

    None if decays differ.
    """
    leak, doubt = np.concatenate([c.leak for c in cells]), max(c.doubt for c in cells)
    if np.ptp(leak) > doubt * leak.max():
        return None
    decay = 1.0 - float(np.mean(leak))
    close = (round(decay, digits) for digits in range(17))
    near = (value for value in close if abs(value - decay) <= doubt * float(leak.max()))
    return min(max(next(near, decay), 0.0), 1.0)


def _recurrent(way: Way) -> bool:
    recurrent = {layer.recurrent is not None for layer in way.hidden}
    if len(recurrent) > 1:
        raise DataError("some layers feed back to themselves and others do not; all must, or none")
    return recurrent.pop()


def _dtype(graph: nir.NIRGraph) -> torch.dtype:
    weights = [
        np.asarray(node.weight).dtype for node in graph.nodes.values() if hasattr(node, "weight")
    ]
    return torch.float64 if max(dtype.itemsize for dtype in weights) > 4 else torch.float32


def _state(
    graph: nir.NIRGraph,
    way: Way,
    cells: Sequence[Cells],
    leak: Cells | None,
    network: SpikingNetwork,
) -> dict[str, torch.Tensor]:
    found: dict[str, FloatArray] = {}
    names = [*network.hidden, "readout"]
    for name, layer, own in zip(names, way.layers, cells, strict=False):
        found |= _layer(graph, name, layer, own, network.spec.trained_decay)
    if way.kind != "spiking":
        node = graph.nodes[way.readout]
        gain = np.ones(len(node.weight)) if leak is None else leak.gain
        bias = getattr(node, "bias", np.zeros(len(node.weight)))
        found["readout.weight"] = (np.asarray(node.weight) * gain[:, None]).T
        found["readout.bias"] = np.asarray(bias) * gain
    if leak is not None:
        found["readout.decay_logit"] = _logits(leak)
    return _tensors(found, network)


def _layer(
    graph: nir.NIRGraph, name: str, layer: UnitNodes, cells: Cells, trained: bool
) -> dict[str, FloatArray]:
    found: dict[str, FloatArray] = {f"{name}.threshold": np.asarray(cells.threshold)}
    for key, node in (("weight", layer.weight), ("recurrent", layer.recurrent)):
        if node is not None:
            weight = np.asarray(graph.nodes[node].weight)
            found[f"{name}.{key}"] = (weight * cells.gain[:, None]).T
    if trained:
        found[f"{name}.decay_logit"] = _logits(cells)
    return found


def _check_inside(name: str, cells: Cells) -> None:
    low, high = cells.leak.min(), cells.leak.max()
    if low <= 0.0 or high >= 1.0 - cells.doubt:
        raise DataError(
            f"node {name}: units keep {1.0 - high:g} to {1.0 - low:g} of themselves per step; "
            f"where that differs between units, and in LI nodes, it must lie inside (0, 1)"
        )


def _logits(cells: Cells) -> FloatArray:
    """Logits of the decays 1 - dt / tau."""
    return np.asarray(np.log(cells.steps - 1.0))


def _tensors(found: dict[str, FloatArray], network: SpikingNetwork) -> dict[str, torch.Tensor]:
    like = network.readout.weight.dtype
    tensors = {
        name: torch.tensor(np.ascontiguousarray(v, np.float64), dtype=like)
        for name, v in found.items()
    }
    for name, values in tensors.items():
        if not values.isfinite().all():
            raise DataError(
                f"{name} reaches {np.abs(found[name]).max():g} with the resistances of its nodes, "
                f"more than {torch.finfo(like).max:g}, the largest number of the weights' "
                f"precision; scale weights or resistances"
            )
    return tensors
