"""Simulated time: it passes only when told to."""

import math
from dataclasses import dataclass

from pcmsim.errors import UsageError


@dataclass
class Clock:
    """Time of the simulation. A simulated week takes no time at all.

    `now_s` is the time since the start of the simulation [s].

    >>> clock = Clock()
    >>> clock.wait(3600.0)
    >>> clock.now_s
    3600.0
    """

    now_s: float = 0.0

    def __post_init__(self) -> None:
        _check("now_s", self.now_s)

    def wait(self, duration_s: float) -> None:
        """Let `duration_s` seconds pass; raises `UsageError` if it is negative or not finite."""
        _check("duration_s", duration_s)
        self.now_s += float(duration_s)

    def wait_until(self, t_s: float) -> None:
        """Wait until the time `t_s`; raises `UsageError` if it has passed already."""
        _check("t_s", t_s)
        if t_s < self.now_s:
            raise UsageError(f"t_s = {t_s:g} s has passed: the clock shows {self.now_s:g} s")
        self.now_s = float(t_s)


def _check(name: str, value_s: float) -> None:
    if not (math.isfinite(value_s) and value_s >= 0.0):
        raise UsageError(f"{name} must be a finite time of at least 0 s; got {value_s!r}")
