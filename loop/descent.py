"""Updates in the loop: steps of the optimiser, and what they ask of devices."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from pcmsim.config import Refresh as Limits
from pcmsim.errors import PcmsimError
from pcmsim.loop.loop_learners import Part
from pcmsim.loop.loop_run import LoopRun, clamp, count
from pcmsim.loop.rules import Digital, Refresh, UpdateRule

# In a rule's memory: a change that an array which failed before has kept from it.
LATE = "late"


def enter(run: LoopRun, rules: dict[str, UpdateRule]) -> None:
    """Begin a phase with the memory of its rule, but for what is known already of the devices.

    Which are stuck stays known. What weights were written to does only as long as no pulses are
    sent: to a rule that remembers it, or one that leaves devices alone.
    """
    for name, rule in rules.items():
        fresh, before = rule.start(run.model.arrays[name].crossbar.shape), run.memories[name]
        kept = {"stuck", "target"} | (before.keys() if isinstance(rule, Digital) else fresh.keys())
        run.memories[name] = fresh | {k: v for k, v in before.items() if k in kept}


def learn(
    run: LoopRun,
    rules: Mapping[str, UpdateRule],
    parts: Iterable[Part],
    limits: Limits | None,
    chance: Callable[..., np.random.Generator],
) -> None:
    """Learn from the next batch, in one update or several; `chance` names the streams of rules.

    It counts as done from its first update on: if an array fails in a later one, the rest of the
    batch is passed over, for the states that belong to it are in no checkpoint.
    """
    number = run.position.batch + 1
    for place, part in enumerate(parts):
        change = descend(run, part)
        add(run, part, number)
        due = place == 0 and limits is not None and number % limits.every == 0
        own = partial(chance, place) if place else chance
        act(run, rules, change, limits if due else None, own)


def add(run: LoopRun, part: Part, number: int) -> None:
    """Add a part of the batch `number`, counted from 1, to what the run has seen."""
    at = run.position
    run.position = replace(at, batch=number, loss=at.loss + part.loss, steps=at.steps + part.count)


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
