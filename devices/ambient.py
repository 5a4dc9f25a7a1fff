"""The temperature around an array as time goes by, and how old it makes what relaxes in it.

Relaxation passes barriers in order of their height: what has relaxed by the time t at the
temperature T is what lies below E = k T ln(t/τ), with an attempt time τ of 0.1 ps. The same barrier
is reached at the reference temperature after θ = τ (t/τ)^(T/T_ref), the effective age. While the
temperature changes E is the state, so the pieces of a profile follow one another as

    t_T = τ (θ/τ)^(T_ref/T) + dt,    θ = τ (t_T/τ)^(T/T_ref).

Collective relaxation: Le Gallo et al., doi:10.1002/aelm.201700627.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.temperature_kernel import aged, through
from pcmsim.errors import UsageError
from pcmsim.units import ZERO_CELSIUS_K

# A walk through so many pieces takes seconds.
MOST_PIECES = 100_000_000
# What is remembered of the pulse times that were asked for.
_MOST_REMEMBERED = 100_000


@dataclass(frozen=True)
class Ambient:
    """Temperature that is constant in pieces: `temperature_c[i]` [°C] from `starts_s[i]` [s] on.

    Times are those of the clock and begin with 0. With `period_s` the profile repeats itself;
    without, the last temperature stays. Raises `UsageError` for times that do not increase from
    zero, a period that ends before the last piece begins, or numbers that are not finite.

    >>> bake = Ambient((0.0, 3600.0, 7200.0), (25.0, 85.0, 25.0))
    >>> bake.at(5000.0), bake.at(1e9)
    (85.0, 25.0)
    """

    starts_s: Sequence[float]
    temperature_c: Sequence[float]
    period_s: float | None = None
    # Age at the start of a piece by (pulse time, law): pieces passed are not passed again.
    _passed: dict[Any, tuple[int, float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name in ("starts_s", "temperature_c"):
            object.__setattr__(self, name, _floats(name, getattr(self, name)))
        _check_pieces(self.starts_s, self.temperature_c)
        if self.period_s is not None and not self.starts_s[-1] < self.period_s < math.inf:
            raise UsageError(
                f"period_s must be finite and above {self.starts_s[-1]:g} s, where the last piece "
                f"begins; got {self.period_s:g} s"
            )

    @cached_property
    def lowest_c(self) -> float:
        """Lowest temperature [°C]."""
        return min(self.temperature_c)

    @cached_property
    def highest_c(self) -> float:
        """Highest temperature [°C]."""
        return max(self.temperature_c)

    def only(self, temperature_c: float) -> bool:
        """Whether it is never anything but `temperature_c` [°C]."""
        return self.lowest_c == self.highest_c == temperature_c

    def at(self, now_s: float) -> float:
        """Temperature [°C] at the clock time `now_s` [s]."""
        return self.temperature_c[self._piece(now_s) % len(self.starts_s)]

    def log_age(
        self,
        log_begin: float,
        begin_s: float,
        now_s: float,
        reference_c: float,
        attempt_s: float,
    ) -> float:
        """ln(θ/τ) at `now_s` [s] of what was at `log_begin` = ln(θ/τ) at `begin_s` [s].

        θ is the age at `reference_c` [°C] and τ = `attempt_s` [s]; -inf is a `log_begin` of no age.
        Going on from the last time costs the new pieces only, and what was asked before has no
        influence on the answer. Raises `UsageError` if the pieces are too many.
        """
        law = (reference_c + ZERO_CELSIUS_K, attempt_s)
        starts_s, kelvin = self._arrays
        first, last = self._piece(begin_s), self._piece(now_s)
        entry = (begin_s, log_begin, law)
        passed, log_age = self._passed.get(entry, (first, log_begin))
        if passed > last:
            passed, log_age = first, log_begin
        if passed < last:
            since_s = begin_s if passed == first else self._start(passed)
            profile = (starts_s, kelvin, self.period_s or 0.0)
            log_age = through(log_age, since_s, passed, last, *profile, *law)
            self._remember(entry, last, log_age)
        since_s = begin_s if last == first else self._start(last)
        return float(aged(log_age, now_s - since_s, kelvin[last % len(kelvin)], *law))

    @cached_property
    def _arrays(self) -> tuple[FloatArray, FloatArray]:
        return np.array(self.starts_s), np.array(self.temperature_c) + ZERO_CELSIUS_K

    def _remember(self, entry: Any, piece: int, log_age: float) -> None:
        if len(self._passed) >= _MOST_REMEMBERED:
            self._passed.clear()
        self._passed[entry] = (piece, log_age)

    def _start(self, piece: int) -> float:
        """Clock time [s] at which a piece starts; pieces count through all periods."""
        cycle, i = divmod(piece, len(self.starts_s))
        return cycle * (self.period_s or 0.0) + self.starts_s[i]

    def check_pieces(self, span_s: float) -> None:
        """Raise `UsageError` for more changes in `span_s` [s] than can be followed."""
        pieces = len(self.starts_s) * (1.0 if self.period_s is None else span_s / self.period_s)
        if not pieces <= MOST_PIECES:
            raise UsageError(
                f"{pieces:.3g} changes of temperature in {span_s:g} s; at most {MOST_PIECES:,} can "
                f"be followed: make the pieces or the period longer"
            )

    def _piece(self, now_s: float) -> int:
        """Number of the piece that holds `now_s`."""
        if not (math.isfinite(now_s) and now_s >= 0.0):
            raise UsageError(f"temperature is known from 0 s on; asked for {now_s:g} s")
        if self.period_s is None:
            return bisect_right(self.starts_s, now_s) - 1
        self.check_pieces(now_s)
        cycle = int(now_s // self.period_s)
        within = bisect_right(self.starts_s, now_s - cycle * self.period_s) - 1
        piece = cycle * len(self.starts_s) + within
        # The start of a piece is rounded, and may come before what it was rounded from.
        while self._start(piece + 1) <= now_s:
            piece += 1
        return piece


def _floats(name: str, numbers: Sequence[float]) -> tuple[float, ...]:
    try:
        row = np.asarray(numbers, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"{name} must be numbers; got {numbers!r:.60}") from None
    if row.ndim != 1 or not row.size or not np.all(np.isfinite(row)):
        raise UsageError(f"{name} must be a row of finite numbers; got {numbers!r:.60}")
    return tuple(row.tolist())


def _check_pieces(starts_s: Sequence[float], temperature_c: Sequence[float]) -> None:
    if len(starts_s) != len(temperature_c):
        raise UsageError(
            f"one temperature for each start is needed; got {len(temperature_c)} temperatures and "
            f"{len(starts_s)} starts"
        )
    if starts_s[0] != 0.0:
        raise UsageError(f"the first temperature must start at 0 s; it starts at {starts_s[0]:g} s")
    falls = np.flatnonzero(np.diff(starts_s) <= 0.0)
    if falls.size:
        before, after = starts_s[falls[0]], starts_s[falls[0] + 1]
        raise UsageError(f"starts_s must increase; {after:g} s follows {before:g} s")
    if min(temperature_c) <= -ZERO_CELSIUS_K:
        raise UsageError(
            f"temperature_c must lie above -{ZERO_CELSIUS_K:g} °C; got {min(temperature_c):g} °C"
        )
