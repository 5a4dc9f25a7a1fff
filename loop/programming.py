"""Writing matrices, looking at what came out, and writing again what is off."""

import math
import time
from dataclasses import replace

import numpy as np

from pcmsim.config import Loop
from pcmsim.datasets import Dataset
from pcmsim.loop.crossbar import FloatArray
from pcmsim.loop.loop_run import LoopRun, Position, clamp, clock_of, close_epoch, count
from pcmsim.loop.rules import Memory, Reprogram, Tally
from pcmsim.loop.weights import WeightArray, pair_mean


def program(run: LoopRun, dataset: Dataset, loop: Loop) -> None:
    """Write the weights, then read back and write again what is off.

    Arrays that were written before the run stopped are not written again.
    """
    began_s = time.perf_counter()
    for number, (name, array) in enumerate(run.model.arrays.items()):
        if number >= run.position.batch:
            _write(run, name, array, loop)
            run.position = replace(run.position, batch=number + 1)
    if not run.position.waited:
        for _ in range(loop.corrections):
            clock_of(run.model).wait(loop.settle_s)
            for name, array in run.model.arrays.items():
                _correct(run, name, array, loop)
        run.model.programmed()
    seconds = time.perf_counter() - began_s
    run.position = replace(run.position, waited=True, seconds=seconds)
    close_epoch(run, dataset)
    run.position = Position(phase=0)


def _write(run: LoopRun, name: str, array: WeightArray, loop: Loop) -> None:
    """Program all devices of an array, and remember what they were told."""
    clamp(run.model, name)
    weight = run.model.weights[name].detach().numpy()
    memory = run.memories[name] = _corrector(array, loop).start(array.crossbar.shape)
    memory["target"][:] = array.targets(weight)
    memory["wanted"][:] = memory["written"][:] = pair_mean(memory["target"])
    array.write(weight)
    count(run, Tally(programmed=math.prod(array.crossbar.shape)))


def _correct(run: LoopRun, name: str, array: WeightArray, loop: Loop) -> None:
    """Read an array back and write again what is off."""
    weight, memory = run.model.weights[name].detach().numpy(), run.memories[name]
    count(run, correct(array, weight, _corrector(array, loop), memory, loop.correction_reads))


def _corrector(array: WeightArray, loop: Loop) -> Reprogram:
    return Reprogram(loop.g_correction, array.g_max, loop.g_stuck)


def correct(
    array: WeightArray, weight: FloatArray, rule: Reprogram, memory: Memory, reads: int = 1
) -> Tally:
    """Read all devices and program the pairs again that miss `weight` by `rule.g_threshold`.

    `reads` reads are averaged. Each round draws new programming errors for what was off and leaves
    what was right, so that rounds sharpen the distribution; a pair with a stuck device is written
    through its partner.
    """
    g = np.mean([array.crossbar.read() for _ in range(reads)], axis=0)
    target = array.targets(weight)
    wanted = pair_mean(target)
    due = np.abs(wanted - pair_mean(g)) >= rule.g_threshold
    if not due.any():
        return Tally()
    chosen = g[np.broadcast_to(due, g.shape)].reshape(*g.shape[:2], -1)
    return rule.write(array.crossbar, due, wanted[due], chosen, memory)
