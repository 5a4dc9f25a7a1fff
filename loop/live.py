"""A chip that answers a stream of sequences without an end, and learns while it does.

Every step is answered before its update: the loss of a sequence is prequential, that of answers
from which nothing had been learnt yet (A. P. Dawid, J. R. Stat. Soc. A 147, 278, 1984). Sequences
come in rounds, each in an order drawn from a stream named after the round, so that a run which goes
on from a checkpoint, between two sequences, does as an unbroken one would.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from pcmsim import config
from pcmsim.config import Live, Loop
from pcmsim.datasets import Dataset, Sequences
from pcmsim.loop.crossbar import Timekeeper
from pcmsim.loop.descent import add, enter, learn
from pcmsim.loop.loop_learners import LoopLearner, answering, online
from pcmsim.loop.loop_run import LoopRun, Position, clock_of, leave_alone
from pcmsim.loop.programming import program
from pcmsim.loop.rules import UpdateRule, make_rule
from pcmsim.loop.threads import one_thread
from pcmsim.rng import stream

Hook = Callable[[LoopRun], None]


@dataclass(frozen=True)
class LiveReport:
    """An interval of a stream; `sequences` counts from the start of it.

    `loss` [nat/step] is the prequential one, NaN where no step had a target, `chip_s` the chip's
    clock at the end [s], and `seconds` what the interval has taken on the wall.
    """

    sequences: int
    chip_s: float
    loss: float
    programmed: int
    set_pulses: int
    resets: int
    seconds: float


class Metronome:
    """Waits until the next input arrives, `step_s` [s] after the last, unless it is late already.

    >>> from pcmsim.clock import Clock
    >>> clock = Clock()
    >>> tick = Metronome(clock, 1.0)
    >>> clock.wait(0.25)
    >>> tick()
    >>> clock.now_s
    1.0
    """

    def __init__(self, clock: Timekeeper, step_s: float) -> None:
        self._clock, self._step_s, self._began_s = clock, step_s, clock.now_s

    def __call__(self) -> None:
        """End a step."""
        left_s = self._began_s + self._step_s - self._clock.now_s
        if left_s > 0.0:
            self._clock.wait(left_s)
        self._began_s = self._clock.now_s


@dataclass(frozen=True)
class Stream:
    """What a chip lives on: settings, sequences, and the seed that names all streams of chance."""

    live: Live
    loop: Loop
    dataset: Dataset
    seed: int
    feedback_seed: int

    @property
    def split(self) -> Sequences:
        """The sequences that come again and again."""
        found: Sequences = getattr(self.dataset, self.live.split)
        return found

    def sequence(self, number: int) -> int:
        """Which sequence of the split comes at the place `number`, counted from 0."""
        turn, place = divmod(number, len(self.split))
        return int(stream(self.seed, "live order", turn).permutation(len(self.split))[place])


@one_thread()
def live(
    run: LoopRun,
    source: Stream,
    more: Callable[[LoopRun], bool],
    on_sequence: Hook,
    on_interval: Callable[[LiveReport], None],
) -> None:
    """Program the arrays of `run.model` and let them live while there is `more` to come, or go on.

    `on_sequence(run)` is called wherever the run can be taken up again. `on_interval` is called
    before it, so that what was reported last may be reported again after a stop.
    Raises `PcmsimError` for a loss that is no longer finite and what the arrays raise.
    """
    if run.position.phase < 0:
        program(run, source.dataset, source.loop)
        on_sequence(run)
    phase = source.loop.phases[-1]
    rules = {n: make_rule(phase.rule, a.g_max) for n, a in run.model.arrays.items()}
    if run.position == Position(phase=0):
        enter(run, rules)
    for weight in run.model.weights.values():
        weight.requires_grad_(not isinstance(phase.rule, config.Digital))
    rates = (phase.learning_rate, phase.digital_learning_rate, phase.gain_learning_rate)
    for group, rate in zip(run.optimiser.param_groups, rates, strict=True):
        group["lr"] = rate
    while more(run):
        run.busy = True
        _sequence(run, source, rules)
        if run.position.batch % source.live.interval == 0:
            on_interval(_interval(run))
        run.busy = False
        on_sequence(run)


def _sequence(run: LoopRun, source: Stream, rules: dict[str, UpdateRule]) -> None:
    """Answer the next sequence, and learn from it."""
    began_s, number, settings = time.perf_counter(), run.position.batch, source.live
    if number:
        _pause(run, source)
    batch = source.split.batch([source.sequence(number)])
    parts = _learner(run, source)(run.model, batch, None)
    if settings.frozen:
        for part in parts:
            add(run, part, number + 1)
    else:
        chance = partial(stream, source.seed, "live rule", number)
        learn(run, rules, parts, source.loop.refresh, chance)
    seconds = run.position.seconds + time.perf_counter() - began_s
    run.position = replace(run.position, seconds=seconds)


def _learner(run: LoopRun, source: Stream) -> LoopLearner:
    settings, tick = source.live, Metronome(clock_of(run.model), source.live.step_s)
    if settings.frozen:
        return answering(tick)
    return online(settings.learning, run.model.network, source.feedback_seed, tick)


def _pause(run: LoopRun, source: Stream) -> None:
    settings, rule = source.live, source.loop.phases[-1].rule
    if settings.restore:
        written = settings.frozen or isinstance(rule, config.Reprogram)
        leave_alone(run.model, settings.pause_s, written)
    else:
        clock_of(run.model).wait(settings.pause_s)


def _interval(run: LoopRun) -> LiveReport:
    """What has been seen since the last interval ended; the next begins at nothing."""
    at = run.position
    run.position = Position(phase=at.phase, batch=at.batch)
    return LiveReport(
        sequences=at.batch,
        chip_s=clock_of(run.model).now_s,
        loss=at.loss / at.steps if at.steps else math.nan,
        programmed=at.tally.programmed,
        set_pulses=at.tally.set_pulses,
        resets=at.tally.resets,
        seconds=at.seconds,
    )
