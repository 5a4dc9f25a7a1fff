r"""How a batch becomes gradients in the loop: products from the arrays, derivatives in software.

Outputs of a matrix are :math:`y = a \circ (x W)` with a factor a for each column (`LoopNetwork`),
so rules that go forward in time follow the network of the weights :math:`V = W a`, and

.. math:: \partial E/\partial W_{ij} = a_j\, \partial E/\partial V_{ij}, \qquad
          \partial E/\partial a_j = \sum_i W_{ij}\, \partial E/\partial V_{ij}.

The second sum takes products as software believes them, where backpropagation takes those that were
measured. A learner leaves gradients in the parameters' `grad` and yields the part of the batch they
belong to; weights may change before it goes on.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch

from pcmsim.config import Bptt, Eprop, Learning, Ostl, TruncatedBptt
from pcmsim.datasets import Batch
from pcmsim.loop import judging
from pcmsim.loop.homeostasis import Drop
from pcmsim.loop.learners import between_updates, method_of, updates
from pcmsim.loop.loop_network import LoopNetwork
from pcmsim.loop.online import Gradients, rest
from pcmsim.loop.recording import OnStep, nothing, recorded
from pcmsim.loop.stretches import backwards, observe, split, whole
from pcmsim.networks import SpikingNetwork, objective


@dataclass(frozen=True)
class Part:
    """Steps of a batch whose gradients are there: their loss [nat], and how many are judged."""

    loss: float
    count: int


LoopLearner = Callable[[LoopNetwork, Batch, Drop], Iterator[Part]]


def make_loop_learner(learning: Learning, network: SpikingNetwork, seed: int) -> LoopLearner:
    """The learner in the loop that a section `learning` asks for, for `network`.

    `seed` names the stream that random feedback is drawn from: that of training in software gives
    the same matrices as there.
    """
    if isinstance(learning, Bptt):
        return bptt
    if isinstance(learning, TruncatedBptt):
        return _truncated(learning)
    return online(learning, network, seed)


def bptt(model: LoopNetwork, batch: Batch, drop: Drop = None) -> Iterator[Part]:
    """Backwards through all steps; every matrix is asked for all its products at once."""
    loss = judging.loss(model.network, model(whole(model.network, batch)[0], drop), batch).sum()
    model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    yield Part(loss.item(), int(judging.count(model.network, batch).sum()))


def _truncated(learning: TruncatedBptt) -> LoopLearner:
    def learner(model: LoopNetwork, batch: Batch, drop: Drop) -> Iterator[Part]:
        states, judged = model.network.rest(batch.inputs.shape[1]), objective(batch.kind).count
        for parts in updates(model.network, batch, learning):
            model.zero_grad()
            loss, count = 0.0, 0
            for part in parts:
                found = backwards(model.network, states, part, batch.kind, model.multiply)
                states, loss = found[0], loss + found[1]
                count += int(judged(part[2]).sum())
            yield Part(loss, count)

    return learner


def online(
    learning: Ostl | Eprop, network: SpikingNetwork, seed: int, on_step: OnStep = nothing
) -> LoopLearner:
    """A learner that goes forward in time; `on_step` is called after each time step."""
    method = method_of(learning, network, seed)

    def learner(model: LoopNetwork, batch: Batch, drop: Drop) -> Iterator[Part]:
        memory = rest(model.network, batch.inputs.shape[1], method.recurrence)
        stretches = split(*between_updates(model.network, batch, learning))
        for number, stretch in enumerate(stretches, start=1):
            blocks, more = split(stretch, learning.block_steps), number < len(stretches)
            shown, measure = scaled(model), partial(recorded, model, on_step=on_step)
            found = observe(shown, memory, blocks, batch.kind, method, more, measure)
            memory = found.memory
            _leave(model, found.gradients)
            yield Part(found.loss, int(stretch[2].sum()))

    return learner


def answering(on_step: OnStep = nothing) -> LoopLearner:
    """Answers step by step and leaves no gradients: a learner that does not learn."""

    @torch.no_grad()
    def learner(model: LoopNetwork, batch: Batch, drop: Drop) -> Iterator[Part]:
        states = model.network.rest(batch.inputs.shape[1])
        logits = []
        for row in whole(model.network, batch)[0].unbind(0):
            states, answer = model.network.step(states, row, model.multiply)
            on_step()
            logits.append(answer)
        loss = judging.loss(model.network, torch.stack(logits), batch).sum()
        yield Part(loss.item(), int(judging.count(model.network, batch).sum()))

    return learner


@torch.no_grad()
def scaled(model: LoopNetwork) -> SpikingNetwork:
    """The network whose products are the outputs of the matrices: weights times their factors."""
    network = deepcopy(model.network)
    for name, weight in network.matrices().items():
        weight.mul_(model.scale_of(name))
    return network


@torch.no_grad()
def _leave(model: LoopNetwork, gradients: Gradients) -> None:
    """Leave `gradients` of the scaled network as those of weights, gains, thresholds, biases."""
    model.zero_grad()
    for name, parameter in model.network.named_parameters():
        found = gradients[name]
        if name in model.weights:
            restored = model.restored(name)
            model.gain(name).grad = restored * (model.weights[name] * found).sum(0)
            found = found * model.scale_of(name)
        if parameter.requires_grad:
            parameter.grad = found
