"""A run in the loop: what of it changes, where it stands, and the history of its epochs."""

import math
import time
from dataclasses import dataclass, field, replace

import torch

from pcmsim.config import Loop
from pcmsim.datasets import Dataset
from pcmsim.errors import PcmsimError
from pcmsim.loop.crossbar import Timekeeper
from pcmsim.loop.evaluation import evaluate
from pcmsim.loop.loop_network import LoopNetwork
from pcmsim.loop.rules import Memory, Tally


@dataclass(frozen=True)
class LoopReport:
    """One epoch in the loop; phases and epochs count from 1, and epoch 0 is programming.

    `train_loss` [nat/step] is the mean over the epoch, measured while the weights moved, and
    `valid_metric` that of the validation split at its end. `chip_s` is the chip's clock then [s].
    """

    phase: int
    epoch: int
    train_loss: float
    valid_metric: float
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
    """All of a run in the loop on one chip that changes; what a checkpoint holds.

    While it is `busy` with a batch it stands where nobody could go on from, unless an array fails.
    """

    model: LoopNetwork
    optimiser: torch.optim.AdamW
    memories: dict[str, Memory]
    position: Position
    history: list[LoopReport]
    busy: bool = False


def begin(model: LoopNetwork, loop: Loop) -> LoopRun:
    """Training that has not begun: nothing is programmed."""
    groups = [
        {"params": list(model.weights.values()), "weight_decay": loop.weight_decay},
        {"params": model.digital(), "weight_decay": 0.0},
        {"params": list(model.gains.values()), "weight_decay": 0.0},
    ]
    return LoopRun(model, torch.optim.AdamW(groups, fused=True), {}, Position(), [])


def clock_of(model: LoopNetwork) -> Timekeeper:
    """The clock of the chip, which all arrays share."""
    return next(iter(model.arrays.values())).crossbar.clock


def leave_alone(model: LoopNetwork, duration_s: float, written: bool) -> None:
    """Leave the chip alone for `duration_s`, and restore what drift has taken meanwhile [s].

    By one factor per matrix: to what is believed if devices are `written` to it now and then, or
    never changed; else by what was lost.
    """
    before = model.levels()
    clock_of(model).wait(duration_s)
    if written:
        model.restore()
    else:
        model.restore_after(before)


def clamp(model: LoopNetwork, name: str) -> None:
    """Hold a matrix within what pairs can show; wanting more would only pile up."""
    array, weight = model.arrays[name], model.weights[name]
    largest = torch.from_numpy(array.scale * array.g_max).to(weight)
    with torch.no_grad():
        weight.clamp_(-largest, largest)


def count(run: LoopRun, tally: Tally) -> None:
    """Add what was done to devices to the epoch."""
    run.position = replace(run.position, tally=run.position.tally + tally)


def _check(model: LoopNetwork, valid_metric: float, at: Position) -> None:
    """Refuse to go on with what is no longer a number. Raises `PcmsimError`."""
    bad = [name for name, p in model.named_parameters() if not bool(torch.isfinite(p).all())]
    if bad or not math.isfinite(valid_metric):
        what = bad[0] if bad else "the validation loss"
        raise PcmsimError(
            f"{what} is no longer finite in phase {at.phase + 1}, epoch {at.epoch + 1}; lower the "
            f"learning rates of the phase and begin again in a new folder"
        )


def close_epoch(run: LoopRun, dataset: Dataset) -> None:
    """Measure the validation split and add the epoch to the history."""
    at, began_s = run.position, time.perf_counter()
    run.model.look()
    valid = evaluate(run.model.network, dataset.valid, run.model.multiply)
    _check(run.model, valid.per_step, at)
    run.history.append(
        LoopReport(
            phase=at.phase + 1,
            epoch=at.epoch + 1 if at.phase >= 0 else 0,
            train_loss=at.loss / at.steps if at.steps else valid.per_step,
            valid_metric=valid.per_step,
            activity=valid.activity,
            programmed=at.tally.programmed,
            set_pulses=at.tally.set_pulses,
            resets=at.tally.resets,
            chip_s=clock_of(run.model).now_s,
            seconds=at.seconds + time.perf_counter() - began_s,
        )
    )
