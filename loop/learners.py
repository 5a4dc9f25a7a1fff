"""How a batch becomes gradients: backwards through time, or online.

A learner leaves gradients in the parameters' `grad` and yields the loss [nat] they belong to; the
optimiser takes its step before the learner goes on. What `seen()` opens, the weights that
devices would show, is closed whenever the learner yields.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from torch import Tensor

from pcmsim.config import Bptt, Eprop, Learning, Ostl, TruncatedBptt
from pcmsim.datasets import Batch
from pcmsim.loop import judging
from pcmsim.loop.online import Method, random_feedback, rest
from pcmsim.loop.stretches import Stretch, backwards, observe, split, whole
from pcmsim.networks import SpikingNetwork

Drop = Callable[[Tensor], Tensor] | None
Seen = Callable[[], AbstractContextManager[None]]
Learner = Callable[[SpikingNetwork, Batch, Drop, Seen], Iterator[float]]


def make_learner(learning: Learning, network: SpikingNetwork, seed: int) -> Learner:
    """The learner that a section `learning` asks for, for `network`.

    `seed` names the stream that random feedback is drawn from.
    """
    if isinstance(learning, Bptt):
        return _bptt
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
        loss = judging.loss(network, network(whole(network, batch)[0], dropout=drop), batch).sum()
        network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
    yield loss.item()


def _truncated(steps: int) -> Learner:
    """Backwards through stretches of `steps` time steps, with one update per batch."""

    def learner(network: SpikingNetwork, batch: Batch, drop: Drop, seen: Seen) -> Iterator[float]:
        with seen():
            network.zero_grad()
            total = backwards(network, batch, steps)
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
