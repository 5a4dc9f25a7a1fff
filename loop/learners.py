"""How a batch becomes gradients: backwards through time, or online.

A learner leaves gradients in the parameters' `grad` and yields the loss [nat] they belong to; the
optimiser takes its step before the learner goes on. What `seen()` opens, the weights that
devices would show, is closed whenever the learner yields.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from pcmsim.config import ActivityBounds, Bptt, Eprop, Learning, Ostl, TruncatedBptt
from pcmsim.datasets import Batch, Kind
from pcmsim.errors import UsageError
from pcmsim.loop import judging
from pcmsim.loop.homeostasis import Drop, Homeostat
from pcmsim.loop.online import Method, carry, random_feedback, rest, see, step_loss
from pcmsim.networks import SpikingNetwork, States, objective, stretch
from pcmsim.networks.unit import State

Seen = Callable[[], AbstractContextManager[None]]
Learner = Callable[[SpikingNetwork, Batch, Drop, Seen], Iterator[float]]


def make_learner(
    learning: Learning, network: SpikingNetwork, seed: int, activity: ActivityBounds | None = None
) -> Learner:
    """The learner that a section `learning` asks for, for `network`.

    `seed` names the stream that random feedback is drawn from; bounds of `activity` are for
    backpropagation through all time alone, and `UsageError` is raised for others.
    """
    if isinstance(learning, Bptt):
        return _bptt if activity is None else _bounded(activity)
    if activity is not None:
        raise UsageError(
            f"activity: learning rule {learning.rule} knows no bounds of activity; use Bptt"
        )
    if isinstance(learning, TruncatedBptt):
        return _truncated(learning)
    return _online(learning, method_of(learning, network, seed))


def method_of(learning: Ostl | Eprop, network: SpikingNetwork, seed: int) -> Method:
    """The paths of the gradient that an online rule follows."""
    complete = isinstance(learning, Ostl) and learning.recurrence == "complete"
    feedback = random_feedback(network, seed) if learning.feedback == "random" else {}
    return Method(recurrence=complete, reset=isinstance(learning, Ostl), feedback=feedback)


def _bptt(network: SpikingNetwork, batch: Batch, drop: Drop, seen: Seen) -> Iterator[float]:
    with seen():
        loss = judging.loss(network, network(_inputs(network, batch), dropout=drop), batch).sum()
        network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
    yield loss.item()


def _bounded(activity: ActivityBounds) -> Learner:
    """Backwards through all time, with a penalty for each step or sequence that is judged."""

    def learner(network: SpikingNetwork, batch: Batch, drop: Drop, seen: Seen) -> Iterator[float]:
        homeostat = Homeostat(activity, torch.from_numpy(batch.mask), drop)
        judged = int(judging.count(network, batch).sum())
        with seen():
            outputs = network(_inputs(network, batch), dropout=homeostat)
            loss = judging.loss(network, outputs, batch).sum()
            network.zero_grad()
            (loss + judged * homeostat.total()).backward()  # type: ignore[no-untyped-call]
        yield loss.item()

    return learner


def _truncated(learning: TruncatedBptt) -> Learner:
    """Backwards through stretches of time steps, with one update per batch or per stretch."""

    def learner(network: SpikingNetwork, batch: Batch, drop: Drop, seen: Seen) -> Iterator[float]:
        parts = [torch.split(a, learning.steps) for a in _tensors(network, batch)]
        stretches = list(zip(*parts, strict=True))
        states = network.rest(batch.inputs.shape[1])
        every = 1 if learning.update == "step" else len(stretches)
        for first in range(0, len(stretches), every):
            total = 0.0
            with seen():
                network.zero_grad()
                for part in stretches[first : first + every]:
                    states, loss = _backwards(network, states, part, batch.kind)
                    total += loss
            yield total

    return learner


def _backwards(
    network: SpikingNetwork, states: States, part: tuple[Tensor, ...], kind: Kind
) -> tuple[States, float]:
    """Add the gradients of one stretch; the states after it, without their past, and its loss."""
    x, targets, mask = part
    states, logits = stretch(network, states, x)
    loss = objective(kind, network.rates).loss(logits, targets, mask).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    return tuple(_cut(state) for state in states), loss.item()


def _cut(state: State) -> State:
    """The same state without its past."""
    trace = state.adaptation
    kept = None if trace is None else trace.detach()
    return State(state.potential.detach(), state.output.detach(), kept)


def _online(learning: Ostl | Eprop, method: Method) -> Learner:
    def learner(network: SpikingNetwork, batch: Batch, drop: Drop, seen: Seen) -> Iterator[float]:
        tensors = _tensors(network, batch)
        every = len(tensors[0]) if learning.update == "deferred" else learning.update_steps
        memory = rest(network, batch.inputs.shape[1], method.recurrence)
        stretches = list(zip(*(torch.split(a, every) for a in tensors), strict=True))
        for number, piece in enumerate(stretches):
            total = 0.0
            blocks = list(zip(*(torch.split(a, learning.block_steps) for a in piece), strict=True))
            with seen():
                network.zero_grad()
                for place, (x, targets, mask) in enumerate(blocks):
                    found = see(network, memory, x, step_loss(batch.kind, targets, mask), method)
                    # Nobody asks for the eligibilities after the last block.
                    if number + 1 < len(stretches) or place + 1 < len(blocks):
                        memory = carry(memory, found)
                    _add(network, found.gradients)
                    total += found.loss
            yield total

    return learner


def _add(network: SpikingNetwork, gradients: dict[str, Tensor]) -> None:
    for name, parameter in network.named_parameters():
        found = gradients[name]
        parameter.grad = found if parameter.grad is None else parameter.grad + found


def _tensors(network: SpikingNetwork, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    x = _inputs(network, batch)
    return x, *judging.wanted(batch, network.readout.weight)


def _inputs(network: SpikingNetwork, batch: Batch) -> Tensor:
    x = judging.inputs(batch)
    return x.to(network.readout.weight.dtype) if x.is_floating_point() else x
