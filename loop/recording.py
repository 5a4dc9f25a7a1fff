"""Products of a few steps, measured in the order in which data pass, to be looked at again.

Online learning takes a block of steps layer by layer; on a chip a step passes all layers before the
next begins, and every product has a time of its own. So a block is run once as it is deployed, and
what was measured then is what the learning rule sees.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from pcmsim.loop.loop_network import LoopNetwork
from pcmsim.networks import Multiply
from pcmsim.networks.network import States

OnStep = Callable[[], None]


def nothing() -> None:
    """Let the next step follow at once."""


@torch.no_grad()
def recorded(model: LoopNetwork, states: States, x: Tensor, on_step: OnStep = nothing) -> Multiply:
    """Let `x` (time, batch, inputs) pass `model` from `states`, and return what was measured.

    The result gives, for each matrix, the products of the steps in their order: one step's
    (batch, columns) at a call for rows of that shape, or those of all steps that are left, for rows
    (time, batch, rows). It is a `multiply` for the same steps of a network of the same layers.
    `on_step` is called after each step.
    """
    products: dict[str, list[Tensor]] = {}

    def measure(name: str, rows: Tensor) -> Tensor:
        products.setdefault(name, []).append(model.multiply(name, rows))
        return products[name][-1]

    for row in x.unbind(0):
        states, _ = model.network.step(states, row, measure)
        on_step()
    left: dict[str, Iterator[Tensor]] = {name: iter(found) for name, found in products.items()}

    def again(name: str, rows: Tensor) -> Tensor:
        return next(left[name]) if rows.ndim == 2 else torch.stack(list(left[name]))

    return again
