"""Training with the hardware in the loop.

Each update: products measured on the arrays, gradients in software, a step of AdamW on what
software believes the weights to be, and an update rule that brings the step onto the devices. There
is one per batch, or several where gradients are found while its sequences go by. Nothing random is
carried along: shuffles, dropout and rules draw from streams named after phase, epoch and batch, so
a run that goes on from a checkpoint, between two batches, draws what an unbroken one would.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from pcmsim import config
from pcmsim.config import Loop, Phase
from pcmsim.datasets import Dataset, batches
from pcmsim.loop.descent import enter, learn
from pcmsim.loop.dropout import dropout
from pcmsim.loop.loop_learners import LoopLearner, bptt
from pcmsim.loop.loop_run import LoopReport, LoopRun, Position, close_epoch, leave_alone
from pcmsim.loop.programming import program
from pcmsim.loop.rules import UpdateRule, make_rule
from pcmsim.loop.threads import one_thread
from pcmsim.rng import key, stream

Hook = Callable[[LoopRun], None]


@one_thread()
def train_in_loop(
    run: LoopRun,
    dataset: Dataset,
    loop: Loop,
    seed: int,
    on_batch: Hook | None = None,
    on_epoch: Callable[[LoopReport], None] | None = None,
    learner: LoopLearner = bptt,
) -> None:
    """Program the arrays of `run.model` and train through the phases of `loop`, or go on.

    `learner` finds the gradients (see `make_loop_learner`), by default backwards through time.
    `on_batch(run)` is called wherever training can be taken up again, `on_epoch` after each epoch.
    Raises `PcmsimError` for a loss that is no longer finite and what the arrays raise; `run` then
    stands after what was sent last, and nothing is sent twice.
    """
    mark = on_batch or (lambda _: None)
    report = on_epoch or (lambda _: None)
    if run.position.phase < 0:
        program(run, dataset, loop)
        report(run.history[-1])
        mark(run)
    for number in range(run.position.phase, len(loop.phases)):
        phase = loop.phases[number]
        rules = {n: make_rule(phase.rule, a.g_max) for n, a in run.model.arrays.items()}
        if run.position == Position(phase=number):
            enter(run, rules)
        while run.position.epoch < phase.epochs:
            _epoch(run, dataset, loop, phase, rules, seed, mark, learner)
            report(run.history[-1])
            mark(run)
        run.position = Position(phase=number + 1)
        mark(run)


def _epoch(
    run: LoopRun,
    dataset: Dataset,
    loop: Loop,
    phase: Phase,
    rules: dict[str, UpdateRule],
    seed: int,
    mark: Hook,
    learner: LoopLearner,
) -> None:
    digital = isinstance(phase.rule, config.Digital)
    for weight in run.model.weights.values():
        weight.requires_grad_(not digital)
    if phase.wait_s > 0.0 and not run.position.waited:
        _wait(run, phase)
    at = run.position
    share = 0.5 * (1.0 + math.cos(math.pi * at.epoch / phase.epochs))
    rates = (phase.learning_rate, phase.digital_learning_rate, phase.gain_learning_rate)
    for group, rate in zip(run.optimiser.param_groups, rates, strict=True):
        group["lr"] = rate * share
    address = (at.phase, at.epoch)
    shuffled = batches(dataset.train, loop.batch_size, stream(seed, "loop shuffle", *address))
    for number, batch in enumerate(shuffled):
        if number < run.position.batch:
            continue
        began_s, here = time.perf_counter(), (*address, number)
        run.busy = True
        try:
            if number % loop.readback_every == 0:
                run.model.look()
            drop = dropout(loop.dropout, _generator(seed, here))
            parts = learner(run.model, batch, drop)
            learn(run, rules, parts, loop.refresh, partial(stream, seed, "loop rule", *here))
        finally:
            seconds = run.position.seconds + time.perf_counter() - began_s
            run.position = replace(run.position, seconds=seconds)
        run.busy = False
        mark(run)
    close_epoch(run, dataset)
    run.position = Position(phase=at.phase, epoch=at.epoch + 1)


def _generator(seed: int, here: tuple[int, int, int]) -> torch.Generator:
    return torch.Generator().manual_seed(key(seed, "loop dropout", *here))


def _wait(run: LoopRun, phase: Phase) -> None:
    """Leave the chip alone, and take back by one factor per matrix what that has cost."""
    leave_alone(run.model, phase.wait_s, isinstance(phase.rule, config.Reprogram))
    run.position = replace(run.position, waited=True)
