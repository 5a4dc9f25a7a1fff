"""Train on chips with the hardware in the loop, after training in software, and watch them age."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pcmsim import runlog
from pcmsim.config import Config, Hardware, Loop
from pcmsim.datasets import Dataset, Sequences
from pcmsim.devices import load_parameter_set
from pcmsim.errors import UsageError
from pcmsim.jobs import folder
from pcmsim.jobs.chip_results import checked_rows, done, stages
from pcmsim.jobs.software import loss_units
from pcmsim.loop import (
    Announcing,
    Autosave,
    Crossbar,
    HardwareError,
    LoopNetwork,
    LoopReport,
    Restorable,
    WeightArray,
    Worn,
    begin,
    find_driver,
    follow,
    guarded,
    hold_all,
    make_loop_learner,
    open_arrays,
    restore_training,
    train_in_loop,
)
from pcmsim.networks import SpikingNetwork
from pcmsim.rng import key

KIND = "loop"
PULSED = ("accumulate", "stochastic", "round_robin")
LOG = "log.h5"
TRANSFER = "transfer.json"
UNITS = {
    "phase": "1",
    "epoch": "1",
    "activity": "1",
    "programmed": "1",
    "set_pulses": "1",
    "resets": "1",
    "chip_s": "s",
    "seconds": "s",
}
OnLoopEpoch = Callable[[int, LoopReport], None]


@dataclass(frozen=True)
class Task:
    """What every chip is asked: the software network, the one to start from, data and settings."""

    config: Config
    loop: Loop
    software: SpikingNetwork
    start: SpikingNetwork
    dataset: Dataset

    @property
    def hardware(self) -> Hardware:
        """How the network of the loop is mapped: what was held within bounds is not clipped."""
        if self.config.aware is None and self.loop.clip_rms is None:
            return self.config.hardware
        return self.config.hardware.model_copy(update={"clip_std": None})

    @property
    def calibration(self) -> Sequences:
        """The training sequences that affine compensation is fitted on."""
        return self.dataset.train.first(self.loop.calibration)


def check(config: Config) -> None:
    """Refuse what the hardware section cannot do, before any work. Raises `UsageError`."""
    values = load_parameter_set(config.hardware.device).values
    loop, driver = config.loop, config.hardware.driver
    if loop is None:
        if config.aware is not None:
            raise UsageError("the section aware is where a loop starts; add the section loop")
        return
    if driver is not None:
        find_driver(driver)
        if loop.chips != 1:
            raise UsageError(
                f"loop.chips = {loop.chips}: behind hardware.driver there is one chip; write 1"
            )
    elif config.hardware.programming == "verify" and values.set_pulse is None:
        raise UsageError(
            f"hardware.device = {config.hardware.device}: this parameter set has no pulses to "
            f"verify with; write programming: statistical"
        )
    elif any(phase.rule.name in PULSED for phase in loop.phases) and values.set_pulse is None:
        raise UsageError(
            f"hardware.device = {config.hardware.device}: this parameter set has no SET pulses; "
            f"choose another set or a rule that sends none (reprogram, digital)"
        )
    if len(set(loop.compensation)) != len(loop.compensation):
        raise UsageError(f"loop.compensation = {list(loop.compensation)}: name each once")
    if loop.refresh is not None and loop.refresh.g_difference > values.g_max:
        raise UsageError(
            f"loop.refresh.g_difference = {loop.refresh.g_difference:g} uS is above g_max = "
            f"{values.g_max:g} uS of the devices"
        )
    if list(loop.times_s) != sorted(set(loop.times_s)):
        raise UsageError(f"loop.times_s = {list(loop.times_s)}: times must increase")


def train_on_chips(task: Task, out: Path, on_epoch: OnLoopEpoch | None = None) -> dict[str, Any]:
    """Train on each chip in turn and return what `results.json` says of them.

    Each chip has a folder `chip0`, `chip1` ... with its checkpoint, its log (one row per epoch)
    and, once it is done, its results; a chip that is done is not begun again.
    """
    found = [_chip(task, index, out / f"chip{index}", on_epoch) for index in range(task.loop.chips)]
    return {
        "stages": stages(found),
        "devices": found[0]["devices"],
        "device_set": task.config.hardware.device,
        "chips": [{k: v for k, v in chip.items() if k != "measured"} for chip in found],
    }


def _chip(task: Task, index: int, out: Path, on_epoch: OnLoopEpoch | None) -> dict[str, Any]:
    """Everything about one chip; read from its folder if it is done."""
    if (out / folder.RESULTS).exists():
        return done(folder.read_results(out, KIND), out)
    seed = key(task.config.seed, "chip", index)
    arrays = opened(task.start, task.config.hardware, seed)
    transfer = _transfer(task, arrays, out / TRANSFER)
    # The same chip from its making; of a real one there is no second, and it goes on.
    if task.config.hardware.driver is None:
        arrays = opened(task.start, task.config.hardware, seed)
    network = deepcopy(task.start)
    if task.loop.clip_rms is not None:
        hold_all(network, task.loop.clip_rms)
    model = mapped(network, arrays, task.hardware, task.loop.forward == "readback")

    def report(epoch: LoopReport) -> None:
        if on_epoch is not None:
            on_epoch(index, epoch)

    history = _train(task, model, arrays, seed, out, report)
    results = {
        "kind": KIND,
        "format": folder.FORMAT,
        "chip": index,
        "devices": sum(int(np.prod(array.shape)) for array in arrays.values()),
        "epochs": sum(row.epoch > 0 for row in history),
        "seconds": sum(row.seconds for row in history),
        "chip_s": history[-1].chip_s,
        "wear": _wear(arrays),
        "measured": {"transfer": transfer, "in_loop": _follow(task, model)},
    }
    folder.write_json(out / folder.RESULTS, results)
    return results


def _wear(arrays: Mapping[str, Crossbar]) -> dict[str, dict[str, float]]:
    """What the devices of each array have been through, where the array counts it."""
    found = {}
    for name, array in arrays.items():
        if isinstance(array, Worn):
            try:
                counts = {str(key): float(n) for key, n in array.wear().items()}
                if not all(np.isfinite(list(counts.values()))):
                    raise ValueError(f"counts are not finite: {counts}")
                found[name] = counts
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                raise HardwareError(f"{name}: wear failed ({reason:.200})") from error
    return found


def _transfer(task: Task, arrays: Mapping[str, Crossbar], file: Path) -> list[dict[str, Any]]:
    """Write the software network and follow it; read from `file` if that was done before.

    A run that goes on must not write it again: a real chip would lose what it has learnt.
    """
    before = folder.read_json(file) if file.exists() else {}
    if before.get("measured") is not None:
        return checked_rows(before["measured"], file)
    model = mapped(deepcopy(task.software), arrays, task.config.hardware)
    if not before or isinstance(arrays, Restorable):
        for name, array in model.arrays.items():
            array.write(model.weights[name].detach().numpy())
        folder.write_json(file, {"measured": None})
    measured = _follow(task, model)
    folder.write_json(file, {"measured": measured})
    return measured


def opened(network: SpikingNetwork, hardware: Hardware, seed: int) -> Mapping[str, Crossbar]:
    """A chip with an array for each matrix of `network`."""
    shapes = {name: (len(w), w.shape[1]) for name, w in network.matrices().items()}
    return open_arrays(shapes, hardware, seed)


def mapped(
    network: SpikingNetwork,
    arrays: Mapping[str, Crossbar],
    hardware: Hardware,
    reads_back: bool = False,
) -> LoopNetwork:
    """`network` on the arrays, scaled but not written."""
    values = load_parameter_set(hardware.device).values
    checked = guarded(arrays, hardware)
    on_arrays = {
        name: WeightArray.fitted(checked[name], weight.detach().numpy(), values, hardware)
        for name, weight in network.matrices().items()
    }
    return LoopNetwork(network, on_arrays, reads_back)


def _train(
    task: Task,
    model: LoopNetwork,
    arrays: Mapping[str, Crossbar],
    seed: int,
    out: Path,
    on_epoch: Callable[[LoopReport], None],
) -> Sequence[LoopReport]:
    """Train from the checkpoint in `out`, or from the beginning; the history of all epochs."""
    run = begin(model, task.loop)
    restore_training(run, arrays, out)
    save = Autosave(arrays, out, task.loop.checkpoint_minutes)
    if not isinstance(arrays, Restorable):
        for array in model.arrays.values():
            array.crossbar = Announcing(array.crossbar, lambda: save.save(run))
    units = UNITS | loss_units(task.dataset.metric)
    _mend(out / LOG, run.history, units)

    def report(epoch: LoopReport) -> None:
        runlog.append(out / LOG, asdict(epoch), units)
        on_epoch(epoch)

    # Random feedback is that of training in software, which the weights have grown to fit.
    learner = make_loop_learner(task.config.learning, model.network, task.config.seed)
    with save.guarding(run):
        train_in_loop(run, task.dataset, task.loop, seed, save, report, learner)
    return run.history


def _mend(log: Path, history: Sequence[LoopReport], units: Mapping[str, str]) -> None:
    """Bring the log to the epochs of the checkpoint: a stop may have come between the two."""
    rows = len(runlog.read(log)["epoch"]) if log.exists() else 0
    if rows > len(history):
        runlog.truncate(log, len(history))
    for epoch in history[rows:]:
        runlog.append(log, asdict(epoch), units)


def _follow(task: Task, model: LoopNetwork) -> list[dict[str, Any]]:
    """Metric at the times of the loop, counted from now, with each compensation."""
    loop, test = task.loop, task.dataset.test
    found = follow(model, test, task.calibration, loop.compensation, loop.times_s)
    return [asdict(measured) for measured in found]
