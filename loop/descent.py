"""One update in the loop: a step of the optimiser, and what it asks of devices."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from pcmsim.config import Refresh as Limits
from pcmsim.errors import PcmsimError
from pcmsim.loop.loop_learners import Part
from pcmsim.loop.loop_run import LoopRun, clamp, count
from pcmsim.loop.rules import Digital, Refresh, UpdateRule

# In a rule's memory: a change that an array which failed before has kept from it.
LATE = "late"


def descend(run: LoopRun, part: Part) -> dict[str, np.ndarray]:
    """Step along the gradients of `part`; the change [µS] that this asks of each matrix.

    Raises `PcmsimError` if its loss is not finite, before anything has changed.
    """
    if not math.isfinite(part.loss):
        raise PcmsimError(
            f"the loss became {part.loss} in phase {run.position.phase + 1}, epoch "
            f"{run.position.epoch + 1}; lower the learning rates of the phase"
        )
    model = run.model
    before = {name: weight.detach().clone() for name, weight in model.weights.items()}
    run.optimiser.step()
    change = {}
    for name, array in model.arrays.items():
        clamp(model, name)
        change[name] = array.change_g((model.weights[name].detach() - before[name]).numpy())
    return change


def act(
    run: LoopRun,
    rules: Mapping[str, UpdateRule],
    change: dict[str, np.ndarray],
    limits: Limits | None,
    chance: Callable[[str], np.random.Generator],
) -> None:
    """Let the rules bring the changes onto the devices, and refresh pairs beyond `limits`.

    If an array fails, what the others were to be changed by waits in their memories.
    """
    for name in rules:
        if LATE in run.memories[name]:
            change[name] = change[name] + run.memories[name].pop(LATE)
    names = list(rules)
    for number, (name, rule) in enumerate(rules.items()):
        crossbar, memory = run.model.arrays[name].crossbar, run.memories[name]
        try:
            tally = rule.step(crossbar, change[name], memory, chance(name))
            if limits is not None and not isinstance(rule, Digital):
                refresh = Refresh(limits.g_above, limits.g_difference)
                tally += refresh.step(crossbar, memory)
        except PcmsimError:
            for later in names[number + 1 :]:
                run.memories[later][LATE] = change[later]
            raise
        count(run, tally)
