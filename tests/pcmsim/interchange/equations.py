"""NIR graphs by their equations alone, for tests: forward Euler, one step for every cycle."""

import nir
import numpy as np


def run(graph: nir.NIRGraph, x, dt_s: float):
    """Outputs of every node, (time, size), for inputs `x` (time, inputs).

    A node reads what the nodes before it send at the same step, and what it gets round a cycle
    from the step before: nodes are visited in the order of their distance from the input.
    """
    order = visited(graph)
    now = dict.fromkeys(graph.nodes, 0.0)
    kinds = (nir.LIF, nir.LI, nir.IF)
    v = {name: np.zeros(n.r.shape) for name, n in graph.nodes.items() if isinstance(n, kinds)}
    seen = {name: [] for name in graph.nodes}
    for row in x:
        before, now = now, {}
        for name in order:
            node = graph.nodes[name]
            arriving = row if isinstance(node, nir.Input) else 0.0
            for start, end in graph.edges:
                if end == name:
                    arriving = arriving + now.get(start, before[start])
            now[name] = answer(node, arriving, v, name, dt_s)
            seen[name].append(np.copy(now[name]))
    return {name: np.array(rows) for name, rows in seen.items()}


def answer(node, arriving, v, name, dt_s):
    if isinstance(node, nir.Affine):
        return node.weight @ arriving + node.bias if np.ndim(arriving) else node.bias
    if isinstance(node, nir.Linear):
        return node.weight @ arriving if np.ndim(arriving) else 0.0
    if isinstance(node, nir.Scale):
        return node.scale * arriving
    if isinstance(node, nir.Threshold):
        return (arriving > node.threshold).astype(float)
    if name not in v:
        return arriving
    slope = node.r * arriving
    if not isinstance(node, nir.IF):
        slope = (node.v_leak - v[name] + slope) / node.tau
    v[name] = v[name] + dt_s * slope
    if isinstance(node, nir.LI):
        return v[name]
    spikes = v[name] > node.v_threshold
    v[name] = np.where(spikes, node.v_reset, v[name])
    return spikes.astype(float)


def visited(graph):
    """Names of nodes, breadth first; a matrix that leads back comes after what it leads back to."""
    order = [name for name, node in graph.nodes.items() if isinstance(node, nir.Input)]
    for name in order:
        order += [end for start, end in graph.edges if start == name and end not in order]
    return order
