"""A drift run in which the split is streamed: at which times, and what the results say of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pcmsim.errors import UsageError
from pcmsim.jobs.ageing import Plan, Task
from pcmsim.loop import stream_s
from pcmsim.units import LANDMARKS_S, YEAR_S

LONGEST_S = YEAR_S


def streamed(plan: Plan, task: Task, step_s: float) -> Plan:
    """`plan` with streams instead of instants, at those of its times that leave room for them.

    Raises `UsageError` if `step_s` [s] is no time, or a stream would take more than a year.
    """
    seconds = _seconds(task, step_s)
    if seconds > LONGEST_S:
        raise UsageError(
            f"step_s = {step_s:g} s: a stream through the split would take {seconds:.3g} s; "
            f"choose it so that a stream ends within a year, {LONGEST_S:g} s"
        )
    return replace(plan, times_s=times_apart(plan.times_s, seconds), step_s=float(step_s))


def described(plan: Plan, task: Task) -> dict[str, Any]:
    """What results say of how a network was measured; `stream_s` is the time of a stream [s]."""
    if plan.step_s is None:
        return {"inference": "batched"}
    seconds = _seconds(task, plan.step_s)
    return {"inference": "streaming", "step_s": plan.step_s, "stream_s": seconds}


def times_apart(times_s: Sequence[float], seconds: float) -> tuple[float, ...]:
    """Those of `times_s` [s] at which measurements that take `seconds` each do not overlap.

    The last time and the usual ones (1 s, 1 min, 1 h, 1 and 4 days) come first, then all others,
    both from early to late; each is kept if it is `seconds` away from what was kept before it.

    >>> times_apart((1.0, 10.0, 60.0, 3590.0, 3600.0, 5000.0), 60.0)
    (1.0, 3600.0, 5000.0)
    """
    usual = {*LANDMARKS_S, max(times_s)}
    kept: list[float] = []
    for t_s in sorted(times_s, key=lambda t_s: (t_s not in usual, t_s)):
        # With room for the rounding of the clock, which must not have passed the next time.
        if all(abs(t_s - other_s) >= seconds * (1.0 + 1e-6) for other_s in kept):
            kept.append(t_s)
    return tuple(sorted(kept))


def _seconds(task: Task, step_s: float) -> float:
    return stream_s(task.network, task.test, task.hardware.timing.multiply_s, step_s=step_s)
