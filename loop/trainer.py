"""Training in software: descent along gradients, best weights on the validation split.

Why no generator is carried from epoch to epoch: shuffle and dropout of epoch e are the streams
(seed, "shuffle", e) and (seed, "dropout", e), so a resumed run draws what an unbroken one would.
"""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from pcmsim.config import Bptt, Learning, Training
from pcmsim.datasets import Dataset, Sequences, batches
from pcmsim.errors import PcmsimError
from pcmsim.loop import judging
from pcmsim.loop.aware import Disturbance
from pcmsim.loop.checkpoint import Checkpoint, EpochReport, save_checkpoint
from pcmsim.loop.dropout import dropout
from pcmsim.loop.evaluation import evaluate
from pcmsim.loop.learners import Learner, make_learner
from pcmsim.loop.optimiser import (
    learning_rate,
    make_optimiser,
    moments,
    restore_moments,
    set_learning_rate,
)
from pcmsim.loop.threads import one_thread
from pcmsim.networks import SpikingNetwork
from pcmsim.rng import key, stream


@dataclass(frozen=True)
class Fit:
    """What training found: the best epoch, its validation NLL [nat/step], and every epoch."""

    best_epoch: int
    valid_metric: float
    history: tuple[EpochReport, ...]


@one_thread()
def fit(
    network: SpikingNetwork,
    dataset: Dataset,
    training: Training,
    seed: int,
    folder: Path | None = None,
    start: Checkpoint | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    disturbance: Disturbance | None = None,
    learning: Learning = Bptt(),  # noqa: B008
) -> Fit:
    """Train `network` and leave it with the weights that were best on the validation split.

    A step of the optimiser follows the gradient of the loss summed over notes, steps and the
    sequences of a batch, found as `learning` says. After each epoch `on_epoch` is called and then,
    if there is a `folder`, the checkpoint in it replaced; `start` goes on from a checkpoint and
    leads, on the same machine, to the same bits as an unbroken run. With a `disturbance` every
    batch sees the weights as devices show them. The loss that is reported is that of the answers,
    without the penalty of `training.activity`.

    Raises `PcmsimError` if the loss is no longer finite, `DataError` if the disk refuses.
    """
    optimiser = make_optimiser(network, training)
    learner = make_learner(learning, network, seed, training.activity)
    history: list[EpochReport] = []
    best = _weights(network)
    if start is not None:
        history, best = list(start.history), start.best
        network.load_state_dict(start.weights)
        restore_moments(network, optimiser, start.moments)
    for epoch in range(len(history) + 1, training.epochs + 1):
        history.append(
            _epoch(network, optimiser, learner, dataset, training, seed, epoch, disturbance)
        )
        if _best(history) is history[-1]:
            best = _weights(network)
        if on_epoch is not None:
            on_epoch(history[-1])
        if folder is not None:
            state = (_weights(network), best, moments(network, optimiser))
            save_checkpoint(Checkpoint(tuple(history), *state), folder)
    network.load_state_dict(best)
    winner = _best(history)
    return Fit(winner.epoch, winner.valid_metric, tuple(history))


def _epoch(
    network: SpikingNetwork,
    optimiser: torch.optim.Optimizer,
    learner: Learner,
    dataset: Dataset,
    training: Training,
    seed: int,
    epoch: int,
    disturbance: Disturbance | None,
) -> EpochReport:
    began_s = time.perf_counter()
    rate = learning_rate(training, epoch)
    set_learning_rate(optimiser, rate)
    settings = (training, seed, epoch, disturbance)
    train_loss = _descend(network, optimiser, learner, dataset.train, *settings)
    _check(train_loss, "training", epoch, training)
    _check_parameters(network, epoch)
    valid = evaluate(network, dataset.valid)
    _check(valid.per_step, "validation", epoch, training)
    seconds = time.perf_counter() - began_s
    return EpochReport(epoch, train_loss, valid.per_step, rate, valid.activity, seconds)


def _descend(
    network: SpikingNetwork,
    optimiser: torch.optim.Optimizer,
    learner: Learner,
    split: Sequences,
    training: Training,
    seed: int,
    epoch: int,
    disturbance: Disturbance | None,
) -> float:
    generator = torch.Generator().manual_seed(key(seed, "dropout", epoch))
    drop = dropout(training.dropout, generator)
    total, steps = 0.0, 0
    order = stream(seed, "shuffle", epoch) if training.shuffle else None
    for number, batch in enumerate(batches(split, training.batch_size, order)):
        seen = partial(disturbance.drawn, network, epoch, number) if disturbance else nullcontext
        for loss in learner(network, batch, drop, seen):
            if training.gradient_clip is not None:
                torch.nn.utils.clip_grad_norm_(network.parameters(), training.gradient_clip)
            optimiser.step()
            if disturbance is not None:
                disturbance.hold(network)
            total += loss
        steps += int(judging.count(network, batch).sum())
        if not math.isfinite(total):
            break
    return total / steps


def _check_parameters(network: SpikingNetwork, epoch: int) -> None:
    """Spiking units hide weights that are no longer numbers: they fall silent, the loss stays."""
    for name, parameter in network.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise PcmsimError(
                f"{name} is no longer finite in epoch {epoch}; lower training.learning_rate or "
                f"set training.gradient_clip, and train again into a new folder"
            )


def _check(loss: float, name: str, epoch: int, training: Training) -> None:
    if not math.isfinite(loss):
        raise PcmsimError(
            f"the {name} loss became {loss} in epoch {epoch}; lower training.learning_rate "
            f"(now {training.learning_rate:g}) or set training.gradient_clip"
        )


def _best(history: list[EpochReport]) -> EpochReport:
    # The first of equals: min keeps the earliest.
    return min(history, key=lambda report: report.valid_metric)


def _weights(network: SpikingNetwork) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
