"""Training with the hardware in the loop.

Each batch: products measured on the arrays, gradients in software, a step of AdamW on what software
believes the weights to be, and an update rule that brings the step onto the devices. Nothing random
is carried along: shuffles, dropout and rules draw from streams named after phase, epoch and batch,
so a run that goes on from a checkpoint draws what an unbroken one would.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from pcmsim import config
from pcmsim.config import Loop, Phase
from pcmsim.datasets import Batch, Dataset, batches
from pcmsim.errors import PcmsimError
from pcmsim.loop import judging
from pcmsim.loop.dropout import dropout
from pcmsim.loop.loop_run import (
    LoopReport,
    LoopRun,
    Position,
    clamp,
    clock_of,
    close_epoch,
    count,
)
from pcmsim.loop.programming import program
from pcmsim.loop.rules import Digital, Refresh, UpdateRule, make_rule
from pcmsim.loop.threads import one_thread
from pcmsim.rng import key, stream

# In a rule's memory: a change that an array which failed before has kept from it.
LATE = "late"
Hook = Callable[[LoopRun], None]


@one_thread()
def train_in_loop(
    run: LoopRun,
    dataset: Dataset,
    loop: Loop,
    seed: int,
    on_batch: Hook | None = None,
    on_epoch: Callable[[LoopReport], None] | None = None,
) -> None:
    """Program the arrays of `run.model` and train through the phases of `loop`, or go on.

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
            _enter(run, rules)
        while run.position.epoch < phase.epochs:
            _epoch(run, dataset, loop, phase, rules, seed, mark)
            report(run.history[-1])
            mark(run)
        run.position = Position(phase=number + 1)
        mark(run)


def _enter(run: LoopRun, rules: dict[str, UpdateRule]) -> None:
    """Begin a phase with the memory of its rule, but for what is known already of the devices.

    Which are stuck stays known. What weights were written to does only as long as no pulses are
    sent: to a rule that remembers it, or one that leaves devices alone.
    """
    for name, rule in rules.items():
        fresh, before = rule.start(run.model.arrays[name].crossbar.shape), run.memories[name]
        kept = {"stuck", "target"} | (before.keys() if isinstance(rule, Digital) else fresh.keys())
        run.memories[name] = fresh | {k: v for k, v in before.items() if k in kept}


def _epoch(
    run: LoopRun,
    dataset: Dataset,
    loop: Loop,
    phase: Phase,
    rules: dict[str, UpdateRule],
    seed: int,
    mark: Hook,
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
        if number % loop.readback_every == 0:
            run.model.look()
        change, loss = _descend(run, batch, loop, key(seed, "loop dropout", *here))
        run.position = replace(
            run.position,
            batch=number + 1,
            loss=run.position.loss + loss,
            steps=run.position.steps + int(judging.count(run.model.network, batch).sum()),
        )
        try:
            _act(run, loop, rules, change, partial(stream, seed, "loop rule", *here))
        finally:
            seconds = run.position.seconds + time.perf_counter() - began_s
            run.position = replace(run.position, seconds=seconds)
        run.busy = False
        mark(run)
    close_epoch(run, dataset)
    run.position = Position(phase=at.phase, epoch=at.epoch + 1)


def _wait(run: LoopRun, phase: Phase) -> None:
    """Leave the chip alone, and take back by one factor per matrix what that has cost."""
    before = run.model.levels()
    clock_of(run.model).wait(phase.wait_s)
    if isinstance(phase.rule, config.Reprogram):
        run.model.restore()
    else:
        run.model.restore_after(before)
    run.position = replace(run.position, waited=True)


def _act(
    run: LoopRun,
    loop: Loop,
    rules: dict[str, UpdateRule],
    change: dict[str, np.ndarray],
    chance: Callable[[str], np.random.Generator],
) -> None:
    """Let the rules bring the changes onto the devices.

    If an array fails, what the others were to be changed by waits in their memories.
    """
    due = loop.refresh is not None and run.position.batch % loop.refresh.every == 0
    for name in rules:
        if LATE in run.memories[name]:
            change[name] = change[name] + run.memories[name].pop(LATE)
    names = list(rules)
    for number, (name, rule) in enumerate(rules.items()):
        crossbar, memory = run.model.arrays[name].crossbar, run.memories[name]
        try:
            tally = rule.step(crossbar, change[name], memory, chance(name))
            if due and loop.refresh is not None and not isinstance(rule, Digital):
                limits = Refresh(loop.refresh.g_above, loop.refresh.g_difference)
                tally += limits.step(crossbar, memory)
        except PcmsimError:
            for later in names[number + 1 :]:
                run.memories[later][LATE] = change[later]
            raise
        count(run, tally)


def _descend(
    run: LoopRun, batch: Batch, loop: Loop, dropout_key: int
) -> tuple[dict[str, np.ndarray], float]:
    """One step of the optimiser; the change [µS] it wants of each matrix, and the loss [nat]."""
    model = run.model
    drop = dropout(loop.dropout, torch.Generator().manual_seed(dropout_key))
    loss = judging.loss(model.network, model(judging.inputs(batch), drop), batch).sum()
    if not math.isfinite(loss.item()):
        raise PcmsimError(
            f"the loss became {loss.item()} in phase {run.position.phase + 1}, epoch "
            f"{run.position.epoch + 1}; lower the learning rates of the phase"
        )
    run.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    before = {name: weight.detach().clone() for name, weight in model.weights.items()}
    run.optimiser.step()
    change = {}
    for name, array in model.arrays.items():
        clamp(model, name)
        change[name] = array.change_g((model.weights[name].detach() - before[name]).numpy())
    return change, loss.item()
