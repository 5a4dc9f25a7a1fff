"""One network on independently drawn chips, measured as time goes by.

Chips share nothing and take turns on nothing, so each has a thread of its own: what takes time
(products, noise, the scan) runs outside the interpreter's lock. A chip's numbers do not depend on
the others, on how many there are, or on the order in which they finish.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pcmsim.config import Hardware
from pcmsim.crossbar import Chip, Kind, Readout, factors, readout
from pcmsim.datasets import Sequences
from pcmsim.devices import Ambient, ParameterSet, load_parameter_set, pulse_s
from pcmsim.jobs import snapshot
from pcmsim.loop import Evaluation, evaluate, measured, one_thread, program_network, stream
from pcmsim.networks import SpikingNetwork
from pcmsim.rng import key

Progress = Callable[[int, int], None]
# Below this, most of a step of a stream holds the interpreter's lock: two threads that take turns
# on it take 1.8 times as long as one that does the work of both.
SHORT_STEP_S = 1e-4


@dataclass(frozen=True)
class Plan:
    """What to measure: times [s], number of chips, compensations and the seed of the chips.

    With `step_s` [s] the split is streamed from each time on, a step in at least `step_s`;
    without, all of it is measured at that instant.
    """

    times_s: tuple[float, ...]
    chips: int
    compensations: tuple[Kind, ...]
    seed: int
    step_s: float | None = None


@dataclass(frozen=True)
class Task:
    """What is measured: a network on a test split, written onto such hardware in `ambient`."""

    network: SpikingNetwork
    test: Sequences
    hardware: Hardware
    parameter_set: ParameterSet
    ambient: Ambient | None = None


@dataclass(frozen=True)
class Aged:
    """One chip's life.

    `found` holds the metric (compensations, times, 2) per step and per sequence [nat/step];
    `g_start` and `g_end` the noiseless conductances [µS] after programming and at the end,
    `end_s` [s] later.
    """

    found: NDArray[np.float64]
    devices: int
    g_start: snapshot.Conductances
    g_end: snapshot.Conductances
    end_s: float


def age_chips(task: Task, plan: Plan, on_time: Progress | None = None) -> Iterator[Aged]:
    """Yield the life of each chip in order; `on_time(done, total)` counts times on chips."""
    count = _Counter(on_time, plan.chips * len(plan.times_s))
    workers = 1 if _crowded(plan) else min(plan.chips, os.cpu_count() or 1)
    with (
        one_thread(),
        ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        lives = [pool.submit(_live, task, plan, i, count) for i in range(plan.chips)]
        try:
            for life in lives:
                yield life.result()
        finally:
            count.stop()
            pool.shutdown(cancel_futures=True)


def _crowded(plan: Plan) -> bool:
    return plan.step_s is not None and plan.step_s < SHORT_STEP_S


def _live(task: Task, plan: Plan, index: int, count: "_Counter") -> Aged:
    chips = _chips(task, plan, key(plan.seed, "chip", index))
    chip = chips[plan.compensations[-1]]
    programmed_s, start = chip.clock.now_s, snapshot.conductances(chip)
    found = np.empty((len(plan.compensations), len(plan.times_s), 2))
    for k, measurements in enumerate(_measure(chips, task, plan, count)):
        found[:, k] = measurements
        count()
    end_s = chip.clock.now_s - programmed_s
    return Aged(found, chip.n_devices, start, snapshot.conductances(chip), end_s)


def _chips(task: Task, plan: Plan, seed: int) -> dict[Kind, Chip]:
    """The chip of this seed for each compensation, in its surroundings.

    A stream moves the clock, so each compensation streams on a twin of its own: the same devices
    at the same time. At an instant all are measured on one.
    """
    if plan.step_s is None:
        return dict.fromkeys(plan.compensations, _programmed(task, seed, task.ambient))
    return {kind: _programmed(task, seed, task.ambient, often=True) for kind in plan.compensations}


def _programmed(
    task: Task, seed: int, ambient: Ambient | None = None, *, often: bool = False
) -> Chip:
    chip = Chip(task.hardware, seed, parameter_set=task.parameter_set, ambient=ambient, often=often)
    program_network(chip, task.network)
    return chip


def _measure(
    chips: dict[Kind, Chip], task: Task, plan: Plan, count: "_Counter"
) -> Iterator[list[tuple[float, float]]]:
    """At each time, (per step, per sequence) for each compensation; the chips' clocks run along."""
    some = chips[plan.compensations[0]]
    references = _references(task, plan, some.seed)
    programmed_s = some.clock.now_s  # a closed loop takes time
    for t_s in plan.times_s:
        measurements = []
        for kind, chip in chips.items():
            chip.clock.wait_until(programmed_s + t_s)
            # Reads of their own, so that no compensation moves the numbers of another.
            chip.address_reads(kind, t_s.hex())
            factor = factors(references[kind], readout(chip, kind))
            found = _infer(chip, task, factor, plan.step_s, count)
            measurements.append((found.per_step, found.per_sequence))
        yield measurements


def _infer(
    chip: Chip, task: Task, factor: Readout, step_s: float | None, count: "_Counter"
) -> Evaluation:
    if step_s is None:
        return evaluate(task.network, task.test, measured(chip, factor))
    streamed = stream(task.network, chip, task.test, factor, step_s=step_s, on_sequence=count.check)
    return streamed.evaluation


def _references(task: Task, plan: Plan, seed: int) -> dict[Kind, Readout]:
    """Readouts at the age t0, for which conductances are programmed.

    Taken on a twin, which is the same chip by its seed: where time counts from the last pulse,
    t0 comes later than the first measurements, and these are compensated all the same. The twin
    stands at the reference temperature, where chips are commissioned.
    """
    twin = _programmed(task, seed)
    twin.clock.wait_until(pulse_s(twin.values, twin.clock.now_s) + twin.values.t0_s)
    references = {}
    for kind in plan.compensations:
        twin.address_reads(kind, "reference")
        references[kind] = readout(twin, kind)
    return references


def evaluate_ideal(task: Task) -> Evaluation:
    """What mapping and clipping alone cost: the network on ideal devices."""
    chip = Chip(task.hardware, parameter_set=load_parameter_set("ideal"))
    program_network(chip, task.network)
    return evaluate(task.network, task.test, measured(chip))


class _Counter:
    """Counts from several threads, and stops them all once the caller has gone."""

    def __init__(self, report: Progress | None, total: int) -> None:
        self._report, self._total, self._done = report, total, 0
        self._lock, self._stopped = threading.Lock(), False

    def stop(self) -> None:
        self._stopped = True

    def check(self) -> None:
        if self._stopped:
            raise InterruptedError("the run was stopped")

    def __call__(self) -> None:
        with self._lock:
            self.check()
            self._done += 1
            if self._report is not None:
                self._report(self._done, self._total)
