"""Training with the hardware in the loop.

Each batch: products measured on the arrays, gradients in software, a step of AdamW on what software
believes the weights to be, and an update rule that brings the step onto the devices. Nothing random
is carried along: shuffles, dropout and rules draw from streams named after phase, epoch and batch,
so a run that goes on from a checkpoint draws what an unbroken one would.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from pcmsim.config import Loop, Phase
from pcmsim.datasets import Batch, Dataset, batches
from pcmsim.errors import PcmsimError
from pcmsim.loop.crossbar import Timekeeper
from pcmsim.loop.dropout import dropout
from pcmsim.loop.evaluation import evaluate
from pcmsim.loop.loop_network import LoopNetwork
from pcmsim.loop.programming import correct
from pcmsim.loop.rules import Digital, Memory, Refresh, Reprogram, Tally, UpdateRule, make_rule
from pcmsim.loop.threads import one_thread
from pcmsim.loop.weights import pair_mean
from pcmsim.networks import nll
from pcmsim.rng import key, stream


@dataclass(frozen=True)
class LoopReport:
    """One epoch in the loop; phases and epochs count from 1, and epoch 0 is programming.

    `train_nll` [nat/step] is the mean over the epoch, measured while the weights moved, and
    `valid_nll` that of the validation split at its end. `chip_s` is the chip's clock then [s].
    """

    phase: int
    epoch: int
    train_nll: float
    valid_nll: float
    activity: float
    programmed: int
    set_pulses: int
    resets: int
    chip_s: float
    seconds: float


@dataclass(frozen=True)
class Position:
    """Where training stands: batches done of an epoch of a phase, and what they have added up to.

    `phase` and `epoch` count from 0; phase -1 is before programming.
    """

    phase: int = -1
    epoch: int = 0
    batch: int = 0
    waited: bool = False
    loss: float = 0.0
    steps: int = 0
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0


@dataclass
class LoopRun:
    """All of a run in the loop on one chip that changes; what a checkpoint holds."""

    model: LoopNetwork
    optimiser: torch.optim.AdamW
    memories: dict[str, Memory]
    position: Position
    history: list[LoopReport]


Hook = Callable[[LoopRun], None]


def begin(model: LoopNetwork, loop: Loop) -> LoopRun:
    """Training that has not begun: nothing is programmed."""
    groups = [
        {"params": list(model.weights.values()), "weight_decay": loop.weight_decay},
        {"params": model.digital(), "weight_decay": 0.0},
        {"params": list(model.gains.values()), "weight_decay": 0.0},
    ]
    return LoopRun(model, torch.optim.AdamW(groups, fused=True), {}, Position(), [])


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
        _program(run, dataset, loop)
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


def _program(run: LoopRun, dataset: Dataset, loop: Loop) -> None:
    """Write the weights, then read back and write again what is off."""
    began_s, tally = time.perf_counter(), Tally()
    rules = {
        name: Reprogram(loop.g_correction, array.g_max, loop.g_stuck)
        for name, array in run.model.arrays.items()
    }
    weights = {name: w.detach().numpy() for name, w in run.model.weights.items()}
    for name, array in run.model.arrays.items():
        memory = run.memories[name] = rules[name].start(array.crossbar.shape)
        memory["target"][:] = array.targets(weights[name])
        memory["wanted"][:] = memory["written"][:] = pair_mean(memory["target"])
        array.write(weights[name])
        tally += Tally(programmed=math.prod(array.crossbar.shape))
    for _ in range(loop.corrections):
        _clock(run.model).wait(loop.settle_s)
        for name, array in run.model.arrays.items():
            memory = run.memories[name]
            tally += correct(array, weights[name], rules[name], memory, loop.correction_reads)
    run.model.programmed()
    if loop.forward == "readback":
        run.model.read_back()
    run.position = Position(phase=-1, tally=tally, seconds=time.perf_counter() - began_s)
    _close_epoch(run, dataset)
    run.position = Position(phase=0)


def _enter(run: LoopRun, rules: dict[str, UpdateRule]) -> None:
    """Begin a phase with the memory of its rule, but for what is known already of the devices.

    Which are stuck stays known. What weights were written to does only as long as no pulses are
    sent: to a rule that remembers it, or one that leaves devices alone.
    """
    for name, rule in rules.items():
        fresh, before = rule.start(run.model.arrays[name].crossbar.shape), run.memories[name]
        kept = {"stuck", "target"} | (before.keys() if isinstance(rule, Digital) else fresh.keys())
        run.memories[name] = fresh | {k: v for k, v in before.items() if k in kept}


def _clock(model: LoopNetwork) -> Timekeeper:
    """The clock of the chip, which all arrays share."""
    return next(iter(model.arrays.values())).crossbar.clock


def _epoch(
    run: LoopRun,
    dataset: Dataset,
    loop: Loop,
    phase: Phase,
    rules: dict[str, UpdateRule],
    seed: int,
    mark: Hook,
) -> None:
    if phase.wait_s > 0.0 and not run.position.waited:
        _clock(run.model).wait(phase.wait_s)
        run.model.restore()
        run.position = replace(run.position, waited=True)
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
        began_s = time.perf_counter()
        if loop.forward == "readback" and number % loop.readback_every == 0:
            run.model.read_back()
        change, loss = _descend(run, batch, loop, key(seed, "loop dropout", *address, number))
        run.position = replace(
            run.position,
            batch=number + 1,
            loss=run.position.loss + loss,
            steps=run.position.steps + int(batch.mask.sum()),
        )
        tally = Tally()
        try:
            for name, rule in rules.items():
                rng = stream(seed, "loop rule", name, *address, number)
                crossbar, memory = run.model.arrays[name].crossbar, run.memories[name]
                tally += rule.step(crossbar, change[name], memory, rng)
                if loop.refresh is not None and (number + 1) % loop.refresh.every == 0:
                    limits = Refresh(loop.refresh.g_above, loop.refresh.g_difference)
                    tally += limits.step(crossbar, memory)
        finally:
            seconds = run.position.seconds + time.perf_counter() - began_s
            run.position = replace(run.position, tally=run.position.tally + tally, seconds=seconds)
        mark(run)
    _close_epoch(run, dataset)
    run.position = Position(phase=at.phase, epoch=at.epoch + 1)


def _descend(
    run: LoopRun, batch: Batch, loop: Loop, dropout_key: int
) -> tuple[dict[str, np.ndarray], float]:
    """One step of the optimiser; the change [µS] it wants of each matrix, and the loss [nat]."""
    model = run.model
    drop = dropout(loop.dropout, torch.Generator().manual_seed(dropout_key))
    logits = model(torch.from_numpy(batch.inputs), drop)
    loss = nll(logits, torch.from_numpy(batch.targets), torch.from_numpy(batch.mask)).sum()
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
    with torch.no_grad():
        for name, array in model.arrays.items():
            weight, largest = model.weights[name], torch.from_numpy(array.scale * array.g_max)
            # A pair shows no more than g_max, so wanting more would only pile up.
            weight.clamp_(-largest.to(weight), largest.to(weight))
            change[name] = array.change_g((weight - before[name]).numpy())
    return change, loss.item()


def _close_epoch(run: LoopRun, dataset: Dataset) -> None:
    """Measure the validation split and add the epoch to the history."""
    at, began_s = run.position, time.perf_counter()
    valid = evaluate(run.model.network, dataset.valid, run.model.multiply)
    run.history.append(
        LoopReport(
            phase=at.phase + 1,
            epoch=at.epoch + 1 if at.phase >= 0 else 0,
            train_nll=at.loss / at.steps if at.steps else valid.per_step,
            valid_nll=valid.per_step,
            activity=valid.activity,
            programmed=at.tally.programmed,
            set_pulses=at.tally.set_pulses,
            resets=at.tally.resets,
            chip_s=_clock(run.model).now_s,
            seconds=at.seconds + time.perf_counter() - began_s,
        )
    )
