"""Some time steps of a network that goes on from where it was."""

import torch
from torch import Tensor

from pcmsim.errors import UsageError
from pcmsim.networks.layers import Readout
from pcmsim.networks.network import SpikingNetwork, States


def stretch(network: SpikingNetwork, states: States, x: Tensor) -> tuple[States, Tensor]:
    """States and logits (time, batch, outputs) after the steps `x` (time, batch, inputs).

    What as many calls of `network.step` find, layer after layer instead of step after step: a
    dense readout is then one product, whose gradient is written once and not for every step.
    `states` are those of the step before, or `network.rest`. Raises `UsageError` as `step` does.

    >>> from pcmsim.config import Network
    >>> network, x = SpikingNetwork(Network(unit="ssnu", hidden=(5,))), torch.ones(6, 1, 88)
    >>> states, first = stretch(network, network.rest(), x[:4])
    >>> _, second = stretch(network, states, x[4:])
    >>> torch.allclose(torch.cat([first, second]), network(x), atol=1e-6)
    True
    """
    x = network.embedded(x)
    names = [*network.hidden, *(() if isinstance(network.readout, Readout) else ("readout",))]
    if x.ndim != 3 or len(states) != len(names):
        raise UsageError(
            f"x has shape {tuple(x.shape)} and there are {len(states)} states; a stretch takes "
            f"(time, batch, inputs) and {len(names)} states, one for each layer that has any"
        )
    after = []
    for name, state in zip(names, states, strict=True):
        outputs, layer = [], network.get_submodule(name)
        for row in network.seen(name, x).unbind(0):
            state = layer.step(state, row)  # type: ignore[operator]
            outputs.append(state.output)
        after.append(state)
        x = network.sent(name, torch.stack(outputs))
    logits: Tensor = network.readout(x) if isinstance(network.readout, Readout) else x
    return tuple(after), logits
