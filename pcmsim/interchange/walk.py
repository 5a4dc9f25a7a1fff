"""The one way through a NIR graph that a feed-forward network with recurrent layers has."""

from collections.abc import Sequence
from dataclasses import dataclass

import nir

from pcmsim.errors import DataError

MATRICES = (nir.Linear, nir.Affine)


@dataclass(frozen=True)
class HiddenNodes:
    """Names of the nodes of a hidden layer."""

    weight: str
    lif: str
    recurrent: str | None


@dataclass(frozen=True)
class Way:
    """Names of all nodes between input and output, in order."""

    hidden: Sequence[HiddenNodes]
    readout: str


def walk(graph: nir.NIRGraph) -> Way:
    """Follow `graph` from its input: matrix, LIF, matrix, LIF ... matrix, output.

    A LIF node may reach itself again through a matrix. Raises `DataError` that names the node at
    which the graph is anything else.
    """
    _check_nodes(graph)
    edges = _edges(graph)
    hidden: list[HiddenNodes] = []
    place = _only(graph, nir.Input, "input")
    while True:
        weight = _next(graph, place, edges[place], MATRICES, "a Linear or Affine node")
        after = edges[weight]
        if len(after) == 1 and isinstance(graph.nodes[after[0]], nir.Output):
            break
        place = _next(graph, weight, after, (nir.LIF,), "a LIF node or the output")
        back = [name for name in edges[place] if edges[name] == [place]]
        if len(back) > 1 or any(place == layer.lif for layer in hidden):
            raise DataError(
                f"node {place} is reached twice; layers may feed back to themselves only"
            )
        edges[place] = [name for name in edges[place] if name not in back]
        hidden.append(HiddenNodes(weight, place, back[0] if back else None))
    way = Way(hidden, weight)
    _check_complete(graph, way)
    return way


def _check_nodes(graph: nir.NIRGraph) -> None:
    known = (nir.Input, nir.Output, nir.LIF, *MATRICES)
    for name, node in graph.nodes.items():
        if not isinstance(node, known):
            raise DataError(
                f"node {name} is a {type(node).__name__}; networks are made of Linear, Affine and "
                f"LIF nodes, an Input and an Output"
            )


def _edges(graph: nir.NIRGraph) -> dict[str, list[str]]:
    """Names of the nodes that each node feeds."""
    found: dict[str, list[str]] = {name: [] for name in graph.nodes}
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
        raise DataError("the graph has no LIF node; a network has a hidden layer at least")
    _only(graph, nir.Output, "output")
    seen = {way.readout} | {node for layer in way.hidden for node in (layer.weight, layer.lif)}
    seen |= {layer.recurrent for layer in way.hidden if layer.recurrent is not None}
    ends = (nir.Input, nir.Output)
    for name, node in graph.nodes.items():
        if name not in seen and not isinstance(node, ends):
            raise DataError(f"node {name} is not on the way from input to output; remove it")
    wanted = 2 * len(way.hidden) + 2 + 2 * sum(layer.recurrent is not None for layer in way.hidden)
    if len(graph.edges) != wanted:
        raise DataError(
            f"the graph has {len(graph.edges)} edges; a network of its layers has {wanted}"
        )
