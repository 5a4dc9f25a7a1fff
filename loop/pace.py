"""How simulated time passes in a stream: products, steps, and gaps between sequences."""

from torch import Tensor

from pcmsim.clock import Clock
from pcmsim.errors import UsageError
from pcmsim.networks import Multiply

# 30,000 years, as in configurations.
LONGEST_S = 1e12


class Pace:
    """Moves `clock` on as a stream goes: products take `multiply_s`, steps at least `step_s` [s].

    Time counts from the start of the stream and is added to the clock as one sum, so that a
    product of a microsecond takes that long in a stream that starts after years.
    Raises `UsageError` for times that are negative or not finite.

    >>> pace = Pace(Clock(100.0), multiply_s=0.25, step_s=1.0, gap_s=2.0)
    >>> twice = pace.timed(lambda name, rows: 2 * rows)
    >>> _ = twice("w", Tensor([[1.0]]))
    >>> pace.elapsed_s
    0.25
    >>> pace.end_step()
    >>> pace.end_sequence()
    >>> pace.elapsed_s
    3.0
    """

    def __init__(self, clock: Clock, multiply_s: float, step_s: float, gap_s: float) -> None:
        check_seconds("step_s", step_s)
        check_seconds("gap_s", gap_s)
        self._clock, self._start_s = clock, clock.now_s
        self._multiply_s, self._step_s, self._gap_s = multiply_s, step_s, gap_s
        self._step_began_s = 0.0
        self.elapsed_s = 0.0

    def timed(self, multiply: Multiply) -> Multiply:
        """The same products, each row of which takes its time after it was measured."""

        def product(name: str, rows: Tensor) -> Tensor:
            result = multiply(name, rows)
            self._reach(self.elapsed_s + len(rows) * self._multiply_s)
            return result

        return product

    def end_step(self) -> None:
        """Wait for the next input, if it has not arrived yet."""
        self._reach(max(self.elapsed_s, self._step_began_s + self._step_s))
        self._step_began_s = self.elapsed_s

    def end_sequence(self) -> None:
        """Wait for the next sequence."""
        self._reach(self.elapsed_s + self._gap_s)
        self._step_began_s = self.elapsed_s

    def _reach(self, elapsed_s: float) -> None:
        self.elapsed_s = elapsed_s
        self._clock.wait_until(self._start_s + elapsed_s)


def check_seconds(name: str, value_s: float) -> None:
    """Refuse a time [s] that is negative, not finite or beyond the clock of any experiment."""
    if isinstance(value_s, bool) or not (0.0 <= value_s <= LONGEST_S):
        raise UsageError(f"{name} = {value_s!r}: write a time from 0 to {LONGEST_S:g} s")
