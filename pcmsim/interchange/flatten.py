"""NIR graphs within a graph laid open; snnTorch writes recurrent layers as such."""

import nir

from pcmsim.errors import DataError

Edges = list[tuple[str, str]]


def flatten(graph: nir.NIRGraph) -> nir.NIRGraph:
    """`graph` with the nodes of each inner graph `name` as `name.node`, without its ends.

    Raises `DataError` for an inner graph that has not one input and one output.
    """
    nodes: dict[str, nir.NIRNode] = {}
    edges: Edges = list(graph.edges)
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRGraph):
            nodes[name] = node
            continue
        inner = flatten(node)
        inside = {f"{name}.{key}": value for key, value in inner.nodes.items()}
        entry, leave = (_end(name, inside, kind) for kind in (nir.Input, nir.Output))
        edges = [(_renamed(a, name, leave), _renamed(b, name, entry)) for a, b in edges]
        edges += [(f"{name}.{a}", f"{name}.{b}") for a, b in inner.edges]
        for end in (entry, leave):
            edges = _without(edges, end)
        nodes |= {key: value for key, value in inside.items() if key not in (entry, leave)}
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata=graph.metadata, type_check=False)


def _end(name: str, inside: dict[str, nir.NIRNode], kind: type[nir.NIRNode]) -> str:
    found: list[str] = [key for key, value in inside.items() if isinstance(value, kind)]
    if len(found) != 1:
        raise DataError(
            f"node {name} is a graph with {len(found)} {kind.__name__} nodes; one was expected"
        )
    return found[0]


def _renamed(node: str, name: str, new: str) -> str:
    return new if node == name else node


def _without(edges: Edges, node: str) -> Edges:
    """Edges where all that fed `node` feeds what it fed."""
    before = [a for a, b in edges if b == node]
    after = [b for a, b in edges if a == node]
    kept = [(a, b) for a, b in edges if node not in (a, b)]
    return kept + [(a, b) for a in before for b in after]
