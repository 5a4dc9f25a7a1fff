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
from pcmsim.datasets import Batch
from pcmsim.errors import UsageError
from pcmsim.loop import judging
from pcmsim.loop.homeostasis import Drop, Homeostat
from pcmsim.loop.online import Method, carry, random_feedback, rest, see, step_loss
from pcmsim.networks import SpikingNetwork, objective
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
        return _truncated(learning.steps)
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


def _truncated(steps: int) -> Learner:
    """Backwards through stretches of `steps` time steps, with one update per batch."""

    def learner(network: SpikingNetwork, batch: Batch, drop: Drop, seen: Seen) -> Iterator[float]:
        total, judged = 0.0, objective(batch.kind, network.rates).loss
        parts = [torch.split(a, steps) for a in _tensors(network, batch)]
        states = network.rest(batch.inputs.shape[1])
        with seen():
            network.zero_grad()
            for x, targets, mask in zip(*parts, strict=True):
                logits = []
                for row in x.unbind(0):
                    states, answer = network.step(states, row)
                    logits.append(answer)
                loss = judged(torch.stack(logits), targets, mask).sum()
                loss.backward()  # type: ignore[no-untyped-call]
                states = tuple(_cut(state) for state in states)
                total += loss.item()
        yield total

    return learner


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
        for number, stretch in enumerate(stretches):
            total = 0.0
            blocks = list(
                zip(*(torch.split(a, learning.block_steps) for a in stretch), strict=True)
            )
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
    return x, *judging.wanted(batch, x)


def _inputs(network: SpikingNetwork, batch: Batch) -> Tensor:
    return judging.inputs(batch).to(network.readout.weight.dtype)
