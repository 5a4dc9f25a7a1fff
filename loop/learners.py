"""How a batch becomes gradients: backwards through time, or online.

A learner leaves gradients in the parameters' `grad` and yields the loss [nat] they belong to; the
optimiser takes its step before the learner goes on. What `seen()` opens, the weights that
devices would show, is closed whenever the learner yields.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch

from pcmsim.config import ActivityBounds, Bptt, Eprop, Learning, Ostl, TruncatedBptt
from pcmsim.datasets import Batch
from pcmsim.errors import UsageError
from pcmsim.loop import judging
from pcmsim.loop.homeostasis import Drop, Homeostat
from pcmsim.loop.online import Method, random_feedback, rest
from pcmsim.loop.stretches import Stretch, backwards, observe, split, whole
from pcmsim.networks import SpikingNetwork

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
        loss = judging.loss(network, network(whole(network, batch)[0], dropout=drop), batch).sum()
        network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
    yield loss.item()


def _bounded(activity: ActivityBounds) -> Learner:
    """Backwards through all time, with a penalty for each step or sequence that is judged."""

    def learner(network: SpikingNetwork, batch: Batch, drop: Drop, seen: Seen) -> Iterator[float]:
        homeostat = Homeostat(activity, torch.from_numpy(batch.mask), drop)
        judged = int(judging.count(network, batch).sum())
        with seen():
            outputs = network(whole(network, batch)[0], dropout=homeostat)
            loss = judging.loss(network, outputs, batch).sum()
            network.zero_grad()
            (loss + judged * homeostat.total()).backward()  # type: ignore[no-untyped-call]
        yield loss.item()

    return learner


def _truncated(learning: TruncatedBptt) -> Learner:
    """Backwards through stretches of time steps, with one update per batch or per stretch."""

    def learner(network: SpikingNetwork, batch: Batch, drop: Drop, seen: Seen) -> Iterator[float]:
        states = network.rest(batch.inputs.shape[1])
        for parts in updates(network, batch, learning):
            total = 0.0
            with seen():
                network.zero_grad()
                for part in parts:
                    states, loss = backwards(network, states, part, batch.kind)
                    total += loss
            yield total

    return learner


def _online(learning: Ostl | Eprop, method: Method) -> Learner:
    def learner(network: SpikingNetwork, batch: Batch, drop: Drop, seen: Seen) -> Iterator[float]:
        memory = rest(network, batch.inputs.shape[1], method.recurrence)
        stretches = split(*between_updates(network, batch, learning))
        for number, stretch in enumerate(stretches, start=1):
            blocks, more = split(stretch, learning.block_steps), number < len(stretches)
            with seen():
                found = observe(network, memory, blocks, batch.kind, method, more)
            memory = found.memory
            for name, parameter in network.named_parameters():
                parameter.grad = found.gradients[name]
            yield found.loss

    return learner


def between_updates(
    network: SpikingNetwork, batch: Batch, learning: Ostl | Eprop
) -> tuple[Stretch, int]:
    """All steps of a batch, and after how many of them there is an update."""
    steps = whole(network, batch)
    return steps, len(steps[0]) if learning.update == "deferred" else learning.update_steps


def updates(network: SpikingNetwork, batch: Batch, learning: TruncatedBptt) -> list[list[Stretch]]:
    """The stretches that gradients go back through, together where they share an update."""
    stretches = split(whole(network, batch), learning.steps)
    return [[part] for part in stretches] if learning.update == "step" else [stretches]
