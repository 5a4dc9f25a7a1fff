"""A network of spiking neural units from a NIR graph."""

from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray

from pcmsim.config import Network
from pcmsim.errors import DataError, UsageError
from pcmsim.interchange.walk import HiddenNodes, Way, walk
from pcmsim.networks import SpikingNetwork

FloatArray = NDArray[Any]
_PARAMETERS = ("tau", "r", "v_leak", "v_threshold", "v_reset")


def from_nir(graph: nir.NIRGraph, dt_s: float | None = None) -> SpikingNetwork:
    """Network that sends the spikes of `graph` under the forward Euler step `dt_s` [s].

    `dt_s` defaults to that in the metadata of the graph. The resistance goes into the weights:
    W = W_nir R dt / tau. All units need one decay 1 - dt/tau; of the decimals that the precision of
    the file cannot tell from it the shortest is taken. Numbers keep the precision of the file.

    Raises `DataError` that names a node which no network here has, or whose numbers are of the
    wrong shape or not finite, and `UsageError` for a time step that is missing or none.

    >>> from pcmsim.interchange import to_nir
    >>> network = from_nir(to_nir(SpikingNetwork(Network(unit="snu", decay=0.85))))
    >>> network.spec.decay, network.spec.hidden
    (0.85, (150,))
    """
    way = walk(graph)
    step_s = _step_s(graph, dt_s)
    for layer in way.hidden:
        _check_lif(graph, layer, step_s)
    _check_shapes(graph, way)
    decay = _decay(graph, way, step_s)
    sizes = [graph.nodes[layer.lif].v_threshold.size for layer in way.hidden]
    spec = Network(
        unit="snu",
        inputs=graph.nodes[way.hidden[0].weight].weight.shape[1],
        hidden=tuple(sizes),
        outputs=len(graph.nodes[way.readout].weight),
        recurrent=_recurrent(way),
        decay=decay,
    )
    network = SpikingNetwork(spec, dtype=_dtype(graph))
    network.load_state_dict(_state(graph, way, step_s, network))
    return network


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


def _check_lif(graph: nir.NIRGraph, layer: HiddenNodes, step_s: float) -> None:
    node = graph.nodes[layer.lif]
    for key in _PARAMETERS:
        values = _finite(layer.lif, key, getattr(node, key))
        if values.ndim != 1 or not values.size:
            raise DataError(f"node {layer.lif}: {key} has shape {values.shape}; one axis is needed")
    for key in ("v_leak", "v_reset"):
        if np.any(getattr(node, key) != 0.0):
            raise DataError(f"node {layer.lif}: {key} is not zero; units here rest at zero")
    if node.tau.min() < step_s * (1.0 - 1e-6):
        raise DataError(
            f"node {layer.lif}: tau reaches {node.tau.min():g} s, below the time step of "
            f"{step_s:g} s; give a shorter one"
        )


def _check_shapes(graph: nir.NIRGraph, way: Way) -> None:
    """Refuse matrices that do not fit what they lie between, and currents without an input."""
    inputs = _inputs(graph)
    for layer in way.hidden:
        units = graph.nodes[layer.lif].v_threshold.size
        _check_matrix(graph, layer.weight, (units, inputs), biased=False)
        if layer.recurrent is not None:
            _check_matrix(graph, layer.recurrent, (units, units), biased=False)
        inputs = units
    readout = np.asarray(graph.nodes[way.readout].weight)
    _check_matrix(graph, way.readout, (len(readout), inputs), biased=True)


def _inputs(graph: nir.NIRGraph) -> int:
    """How many inputs the one node of input has."""
    (name,) = (name for name, node in graph.nodes.items() if isinstance(node, nir.Input))
    shape = np.asarray((graph.nodes[name].input_type or {}).get("input"))
    if shape.dtype.kind not in "iu" or shape.size != 1:
        raise DataError(f"node {name}: inputs have shape {shape.tolist()}; one axis is needed")
    return int(shape.item())


def _check_matrix(graph: nir.NIRGraph, name: str, shape: tuple[int, int], biased: bool) -> None:
    node = graph.nodes[name]
    weight = _finite(name, "weight", node.weight)
    if weight.shape != shape or not weight.size:
        raise DataError(f"node {name}: weight has shape {weight.shape}; {shape} is needed")
    if not isinstance(node, nir.Affine):
        return
    bias = _finite(name, "bias", node.bias)
    if bias.shape != shape[:1]:
        raise DataError(f"node {name}: bias has shape {bias.shape}; {shape[:1]} is needed")
    if not biased and np.any(bias != 0.0):
        raise DataError(
            f"node {name}: bias is not zero; hidden units here have thresholds and no bias"
        )


def _finite(name: str, key: str, values: Any) -> FloatArray:
    array = np.asarray(values)
    if array.dtype.kind != "f" or not np.all(np.isfinite(array)):
        raise DataError(f"node {name}: {key} must hold finite numbers; got {array.dtype} values")
    return array


def _decay(graph: nir.NIRGraph, way: Way, step_s: float) -> float:
    """The one decay of all units, as the shortest decimal that the file cannot tell from it."""
    taus = [graph.nodes[layer.lif].tau for layer in way.hidden]
    doubt = 4.0 * max(np.finfo(tau.dtype).eps for tau in taus)
    leak = step_s / np.concatenate(taus).astype(np.float64)
    if np.ptp(leak) > doubt * leak.max():
        raise DataError(
            f"tau goes from {min(map(np.min, taus)):g} to {max(map(np.max, taus)):g} s; units of a "
            f"network here share one decay"
        )
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
    weights = [node.weight.dtype for node in graph.nodes.values() if hasattr(node, "weight")]
    return torch.float64 if max(dtype.itemsize for dtype in weights) > 4 else torch.float32


def _state(
    graph: nir.NIRGraph, way: Way, step_s: float, network: SpikingNetwork
) -> dict[str, torch.Tensor]:
    found: dict[str, FloatArray] = {}
    for name, layer in zip(network.hidden, way.hidden, strict=True):
        lif = graph.nodes[layer.lif]
        # In double precision: R dt / tau is one where it should be, and no weight moves.
        scale = lif.r.astype(np.float64) * (step_s / lif.tau.astype(np.float64))
        scale = np.where(np.abs(scale - 1.0) <= 4.0 * np.finfo(lif.r.dtype).eps, 1.0, scale)
        for key, node in (("weight", layer.weight), ("recurrent", layer.recurrent)):
            if node is not None:
                found[f"{name}.{key}"] = (graph.nodes[node].weight * scale[:, None]).T
        found[f"{name}.threshold"] = lif.v_threshold
    readout = graph.nodes[way.readout]
    found["readout.weight"] = readout.weight.T
    found["readout.bias"] = getattr(readout, "bias", np.zeros(len(readout.weight)))
    return _tensors(found, network)


def _tensors(found: dict[str, FloatArray], network: SpikingNetwork) -> dict[str, torch.Tensor]:
    like = network.readout.weight.dtype
    return {name: torch.tensor(np.ascontiguousarray(v), dtype=like) for name, v in found.items()}
