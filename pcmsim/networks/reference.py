"""The time scan of a layer as a plain loop: the definition that the fused kernels must match."""

from collections.abc import Callable

import torch
from torch import Tensor

from pcmsim.networks.unit import FIXED, Decays, Unit, rest, step


def scan(
    currents: Tensor,
    feedback: Callable[[Tensor], Tensor] | None,
    threshold: Tensor,
    unit: Unit,
    decays: Decays = FIXED,
) -> Tensor:
    """Return outputs y of units at rest that receive `currents`, both (time, batch, units).

    `feedback` maps y_{t-1} (batch, units) to what recurrent connections add to the current of
    step t; None for a feed-forward layer. All of it is differentiable, any number of times.

    >>> drive = torch.tensor([0.6, 0.6, 0.6]).reshape(3, 1, 1)
    >>> scan(drive, None, torch.ones(1), Unit("snu", decay=0.8)).flatten().tolist()
    [0.0, 1.0, 0.0]
    """
    state = rest(threshold.expand(currents.shape[1:]))
    outputs = []
    # Unbinding once keeps the gradient linear in time; indexing would add a whole zero-filled
    # sequence to it at every step.
    for current in currents.unbind(0):
        if feedback is not None:
            current = current + feedback(state.output)
        state = step(state, current, threshold, unit, decays)
        outputs.append(state.output)
    return torch.stack(outputs) if outputs else torch.zeros_like(currents)
