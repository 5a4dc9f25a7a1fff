r"""Online spatio-temporal learning: gradients of a network while its sequence goes by.

The gradient of a loss that is summed over time is

.. math:: dE/d\theta_l = \sum_t L_l^t e_l^t,

a learning signal L that comes down through the layers within the step, times an eligibility trace
e that each layer carries forward in time. For one hidden layer it is that of backpropagation
through time; for more, paths that lead through several layers and through time at once are left
out. Bohnstingl et al., arXiv:2007.12723.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pcmsim.errors import UsageError
from pcmsim.loop.online.adjoint import carried, gradient
from pcmsim.loop.online.losses import Loss
from pcmsim.loop.online.memory import Memory, layers
from pcmsim.loop.online.method import OSTL, Method
from pcmsim.loop.online.passage import Passage, passage
from pcmsim.networks import Multiply, SpikingNetwork

Gradients = dict[str, Tensor]


@dataclass(frozen=True)
class Seen:
    """A block of steps: its loss, logits (T, batch, outputs), gradients by parameter, and paths."""

    loss: float
    logits: Tensor
    gradients: Gradients
    passages: tuple[Passage, ...]


def step(
    network: SpikingNetwork,
    memory: Memory,
    x: Tensor,
    loss: Loss,
    method: Method = OSTL,
    multiply: Multiply | None = None,
) -> tuple[Memory, Seen]:
    """Memory after the steps `x` (T, batch, inputs), and what they have shown.

    `memory` is that of the step before, or `rest`. The gradients are those of the loss of these
    steps, through all steps since `rest`. `multiply` is that of `SpikingNetwork.step`: products
    may come from a crossbar, derivatives come from the network's own weights.

    Raises `UsageError` for inputs of another shape.

    >>> from pcmsim.config import Network
    >>> from pcmsim.loop.online import bernoulli, rest
    >>> network, x = SpikingNetwork(Network(unit="ssnu")), torch.ones(3, 1, 88)
    >>> loss = bernoulli(x, torch.ones(3, 1, dtype=torch.bool))
    >>> memory, seen = step(network, rest(network), x, loss)
    >>> sorted(seen.gradients)
    ['hidden0.threshold', 'hidden0.weight', 'readout.bias', 'readout.weight']
    """
    seen = see(network, memory, x, loss, method, multiply)
    return carry(memory, seen), seen


@torch.no_grad()
def see(
    network: SpikingNetwork,
    memory: Memory,
    x: Tensor,
    loss: Loss,
    method: Method = OSTL,
    multiply: Multiply | None = None,
) -> Seen:
    """The first half of `step`: gradients of the steps `x`, with eligibilities as they were."""
    if x.ndim != 3 or not len(x) or len(memory) != len(network.hidden):
        raise UsageError(
            f"x has shape {tuple(x.shape)} and there are {len(memory)} layers in memory; blocks "
            f"are (time, batch, inputs) of a step or more, for {len(network.hidden)} layers"
        )
    passages: list[Passage] = []
    answer = x
    for layer, own in zip(layers(network), memory, strict=True):
        passages.append(passage(layer, own, answer, method, multiply))
        answer = passages[-1].outputs
    logits = network.readout(answer, multiply)
    value, error = loss(logits)
    found = {
        "readout.weight": answer.flatten(0, 1).T @ error.flatten(0, 1),
        "readout.bias": error.sum((0, 1)),
    }
    signal = error @ _downward(network, "readout.weight", method)
    for i in range(len(passages) - 1, -1, -1):
        name = network.hidden[i]
        found |= _layer_gradients(network, name, gradient(memory[i], passages[i], signal))
        if i:
            current = signal * passages[i].slope * passages[i].gain
            signal = current @ _downward(network, f"{name}.weight", method)
    return Seen(value, logits, found, tuple(passages))


@torch.no_grad()
def carry(memory: Memory, seen: Seen) -> Memory:
    """The second half of `step`: eligibilities after the steps that were `seen`."""
    return tuple(carried(own, path) for own, path in zip(memory, seen.passages, strict=True))


def _downward(network: SpikingNetwork, name: str, method: Method) -> Tensor:
    return method.feedback.get(name, network.get_parameter(name)).T


def _layer_gradients(network: SpikingNetwork, name: str, found: tuple[Tensor, Tensor]) -> Gradients:
    weights, threshold = found
    inputs = len(network.get_parameter(f"{name}.weight"))
    result = {f"{name}.weight": weights[:inputs], f"{name}.threshold": threshold}
    if len(weights) > inputs:
        result[f"{name}.recurrent"] = weights[inputs:]
    return result
