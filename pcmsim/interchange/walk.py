"""The one way through a NIR graph that a feed-forward network with recurrent layers has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import nir

from pcmsim.errors import DataError

MATRICES = (nir.Linear, nir.Affine)
SYNAPSE = (
    "its synaptic current has a decay of its own (tau_syn), which no unit here has; only LIF and "
    "IF nodes, and LI nodes with a Threshold, can be read"
)
Edges = dict[str, list[str]]


@dataclass(frozen=True)
class UnitNodes:
    """Names of the nodes of a layer of spiking units.

    `cell` is a LIF or IF node, or the LI node of units whose spikes the node `spike` sends and
    the node `reset` takes from the potential.
    """

    weight: str
    cell: str
    recurrent: str | None = None
    spike: str | None = None
    reset: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all nodes there are."""
        found = (self.weight, self.cell, self.recurrent, self.spike, self.reset)
        return tuple(name for name in found if name is not None)


@dataclass(frozen=True)
class Way:
    """Names of all nodes between input and output, in order.

    `readout` is the last matrix, and `leak` the LI node behind it, if there is one; a readout of
    units is the last of `layers`.
    """

    layers: Sequence[UnitNodes]
    kind: Literal["dense", "leaky", "spiking"]
    readout: str
    leak: str | None = None

    @property
    def hidden(self) -> Sequence[UnitNodes]:
        """The layers that are no readout."""
        return self.layers[:-1] if self.kind == "spiking" else self.layers


def walk(graph: nir.NIRGraph) -> Way:
    """Follow `graph` from its input: matrix, units, matrix, units ... matrix, output.

    Units are a LIF or IF node, or a LI node, a Threshold and a Scale that leads back; they may
    reach themselves again through a matrix. Before the output there may be units, or a LI node.
    Raises `DataError` that names the node at which the graph is anything else.
    """
    _check_nodes(graph)
    edges = _edges(graph)
    layers: list[UnitNodes] = []
    place = _only(graph, nir.Input, "input")
    while True:
        weight = _next(graph, place, edges[place], MATRICES, "a Linear or Affine node")
        if _ends(graph, edges[weight]):
            way = Way(layers, "dense", weight)
            break
        cells = (nir.LIF, nir.IF, nir.LI)
        cell = _next(graph, weight, edges[weight], cells, "a LIF, IF or LI node or the output")
        if isinstance(graph.nodes[cell], nir.LI) and _ends(graph, edges[cell]):
            way = Way(layers, "leaky", weight, cell)
            break
        if any(cell == layer.cell for layer in layers):
            raise DataError(
                f"node {cell} is reached twice; layers may feed back to themselves only"
            )
        layers.append(_units(graph, weight, cell, edges))
        place = layers[-1].spike or cell
        if _ends(graph, edges[place]):
            way = Way(layers, "spiking", weight)
            break
    _check_complete(graph, way)
    return way


def _units(graph: nir.NIRGraph, weight: str, cell: str, edges: Edges) -> UnitNodes:
    """Nodes of the units whose potential is that of `cell`; what leads back leaves `edges`."""
    spike = reset = None
    if isinstance(graph.nodes[cell], nir.LI):
        spike = _next(graph, cell, edges[cell], (nir.Threshold,), "a Threshold node or the output")
    sender = spike or cell
    back = [name for name in edges[sender] if edges[name] == [cell]]
    edges[sender] = [name for name in edges[sender] if name not in back]
    if spike is not None:
        scales = [name for name in back if isinstance(graph.nodes[name], nir.Scale)]
        if len(scales) != 1:
            raise DataError(
                f"node {spike}: {len(scales)} Scale nodes lead its spikes back to {cell}; units "
                f"that keep their potential when they spike have one, which takes the threshold"
            )
        reset = scales[0]
        back.remove(reset)
    if len(back) > 1 or not all(isinstance(graph.nodes[name], MATRICES) for name in back):
        raise DataError(
            f"node {cell} is reached twice; layers may feed back to themselves through one matrix"
        )
    return UnitNodes(weight, cell, back[0] if back else None, spike, reset)


def _ends(graph: nir.NIRGraph, after: Sequence[str]) -> bool:
    return len(after) == 1 and isinstance(graph.nodes[after[0]], nir.Output)


def _check_nodes(graph: nir.NIRGraph) -> None:
    known = (
        nir.Input, nir.Output, nir.LIF, nir.IF, nir.LI, nir.Threshold, nir.Scale, *MATRICES,
    )  # fmt: skip
    for name, node in graph.nodes.items():
        if isinstance(node, nir.CubaLIF):
            raise DataError(f"node {name} is a CubaLIF: {SYNAPSE}")
        if not isinstance(node, known):
            raise DataError(
                f"node {name} is a {type(node).__name__}; networks are made of Linear, Affine, "
                f"LIF, IF, LI, Threshold and Scale nodes, an Input and an Output"
            )


def _edges(graph: nir.NIRGraph) -> Edges:
    """Names of the nodes that each node feeds."""
    found: Edges = {name: [] for name in graph.nodes}
    for start, end in graph.edges:
        for name in (start, end):
            if name not in found:
                raise DataError(f"the edge {start} -> {end} names a node that is not there: {name}")
        if end in found[start]:
            raise DataError(f"the edge {start} -> {end} is there twice")
        found[start].append(end)
    return found


def _only(graph: nir.NIRGraph, kind: type[nir.NIRNode], what: str) -> str:
    names: list[str] = [name for name, node in graph.nodes.items() if isinstance(node, kind)]
    if len(names) != 1:
        raise DataError(f"the graph has {len(names)} nodes of {what}; one was expected")
    return names[0]


def _next(
    graph: nir.NIRGraph,
    place: str,
    after: Sequence[str],
    kinds: tuple[type[nir.NIRNode], ...],
    what: str,
) -> str:
    if len(after) != 1 or not isinstance(graph.nodes[after[0]], kinds):
        found = ", ".join(f"{name} ({type(graph.nodes[name]).__name__})" for name in after)
        raise DataError(f"after node {place} comes {found or 'nothing'}; {what} was expected")
    return after[0]


def _check_complete(graph: nir.NIRGraph, way: Way) -> None:
    """Refuse nodes off the way, and a second way into one that is on it."""
    if not way.hidden:
        raise DataError(
            "the graph has no LIF node, IF node or LI node with a Threshold before its readout; a "
            "network has a hidden layer at least"
        )
    if way.kind == "spiking" and way.layers[-1].recurrent is not None:
        raise DataError(
            f"node {way.layers[-1].cell} feeds back to itself and is the last; units of a readout "
            f"have no recurrent connections here"
        )
    _only(graph, nir.Output, "output")
    seen = {way.readout, way.leak} | {name for layer in way.layers for name in layer.names}
    ends = (nir.Input, nir.Output)
    for name, node in graph.nodes.items():
        if name not in seen and not isinstance(node, ends):
            raise DataError(f"node {name} is not on the way from input to output; remove it")
    wanted = (
        1
        + len(seen - {None})
        + sum((layer.recurrent is not None) + (layer.reset is not None) for layer in way.layers)
    )
    if len(graph.edges) != wanted:
        raise DataError(
            f"the graph has {len(graph.edges)} edges; a network of its layers has {wanted}"
        )
