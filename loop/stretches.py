"""Stretches of the time steps of a batch, and the gradients of one, whoever multiplies."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pcmsim.datasets import Batch, Kind
from pcmsim.loop import judging
from pcmsim.loop.online import Gradients, Memory, Method, carry, see, step_loss
from pcmsim.networks import Multiply, SpikingNetwork, objective, stretch
from pcmsim.networks.network import States
from pcmsim.networks.unit import State

# Inputs (T, batch, inputs), targets of these steps, and mask (T, batch).
Stretch = tuple[Tensor, ...]
# Measures the products of some steps from the states before them.
Measure = Callable[[States, Tensor], Multiply]


@dataclass(frozen=True)
class Observed:
    """What a stretch has shown: the memory after it, its loss [nat], gradients by parameter."""

    memory: Memory
    loss: float
    gradients: Gradients


def split(stretch: Stretch, steps: int) -> list[Stretch]:
    """The same in pieces of `steps` time steps; the last may be shorter."""
    return list(zip(*(torch.split(a, steps) for a in stretch), strict=True))


def whole(network: SpikingNetwork, batch: Batch) -> Stretch:
    """All steps of a batch, in the precision of `network`."""
    like, x = network.readout.weight, judging.inputs(batch)
    x = x.to(like.dtype) if x.is_floating_point() else x
    return x, *judging.wanted(batch, like)


def observe(
    network: SpikingNetwork,
    memory: Memory,
    blocks: list[Stretch],
    kind: Kind,
    method: Method,
    more: bool,
    measure: Measure | None = None,
) -> Observed:
    """Gradients of a stretch in `blocks`, forward in time; the derivatives are those of `network`.

    Unless there is `more` to come, nobody asks for the eligibilities after the last block, and the
    memory stays that before it.
    """
    loss, gradients = 0.0, dict[str, Tensor]()
    for number, (x, targets, mask) in enumerate(blocks, start=1):
        multiply = None if measure is None else measure(tuple(own.state for own in memory), x)
        seen = see(network, memory, x, step_loss(kind, targets, mask), method, multiply)
        if more or number < len(blocks):
            memory = carry(memory, seen)
        for name, found in seen.gradients.items():
            gradients[name] = gradients[name] + found if name in gradients else found
        loss += seen.loss
    return Observed(memory, loss, gradients)


def backwards(
    network: SpikingNetwork,
    states: States,
    part: Stretch,
    kind: Kind,
    multiply: Multiply | None = None,
) -> tuple[States, float]:
    """Add the gradients of one stretch; the states after it, without their past, and its loss.

    With `multiply` products are taken step after step, as arrays give them.
    """
    x, targets, mask = part
    if multiply is None:
        states, logits = stretch(network, states, x)
    else:
        states, logits = _stepped(network, states, x, multiply)
    loss = objective(kind, network.rates).loss(logits, targets, mask).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    return tuple(_cut(state) for state in states), loss.item()


def _stepped(
    network: SpikingNetwork, states: States, x: Tensor, multiply: Multiply
) -> tuple[States, Tensor]:
    logits = []
    for row in x.unbind(0):
        states, answer = network.step(states, row, multiply)
        logits.append(answer)
    return states, torch.stack(logits)


def _cut(state: State) -> State:
    """The same state without its past."""
    trace = state.adaptation
    kept = None if trace is None else trace.detach()
    return State(state.potential.detach(), state.output.detach(), kept)
