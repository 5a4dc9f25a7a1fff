"""A crossbar that is not trusted: answers are checked, and one that does not come is an error.

An instrument fails in the middle of the night. What it failed at is said in one line, and the
training loop stores where it stands; nothing is sent a second time.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pcmsim.errors import PcmsimError
from pcmsim.loop.crossbar import Crossbar, FloatArray, Shape, Timekeeper


class HardwareError(PcmsimError):
    """Hardware that raised, did not answer, or answered with what cannot be. Exit code 4."""

    exit_code = 4


class NoAnswerError(HardwareError):
    """An operation that has not come back in time. It may be at work still."""


@dataclass(frozen=True)
class Guarded:
    """`crossbar`, called `name` in errors, with its answers checked.

    An operation that takes longer than `timeout_s` seconds of the wall clock has failed, and the
    crossbar is sent nothing more; each runs in a thread of its own. None waits for ever and spares
    the thread. Answers are copies, so that a driver may use its buffers again.
    Raises `HardwareError`.
    """

    crossbar: Crossbar
    name: str
    timeout_s: float | None = None
    _hanging: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    _latest_s: list[float] = field(
        default_factory=lambda: [0.0], init=False, repr=False, compare=False
    )

    @property
    def shape(self) -> Shape:
        """Shape of the array of devices."""
        shape: Shape = ask(self.name, "shape", lambda: self.crossbar.shape)
        return shape

    @property
    def clock(self) -> Timekeeper:
        """Clock of the chip, whose errors are checked too."""
        return _GuardedClock(self.crossbar, self.name, self.timeout_s, self._latest_s)

    def program(self, g_target: FloatArray, where: FloatArray | None = None) -> None:
        """Program devices; see `Crossbar`."""
        g_target, where = self._lent(g_target), None if where is None else self._lent(where)
        self._ask("program", lambda: self.crossbar.program(g_target, where))

    def pulse(self, counts: FloatArray) -> None:
        """Send pulses; see `Crossbar`."""
        counts = self._lent(counts)
        self._ask("pulse", lambda: self.crossbar.pulse(counts))

    def read(self, where: FloatArray | None = None) -> FloatArray:
        """Read devices; see `Crossbar`."""
        g = self._ask("read", lambda: self.crossbar.read(where))
        wanted = tuple(self.shape) if where is None else (int(np.count_nonzero(where)),)
        return self._checked("read", g, wanted)

    def multiply(self, x: FloatArray) -> FloatArray:
        """Multiply; see `Crossbar`."""
        rows = self._lent(x)
        y = self._ask("multiply", lambda: self.crossbar.multiply(rows))
        return self._checked("multiply", y, (len(x), self.shape[3]))

    def _lent(self, array: FloatArray) -> FloatArray:
        """A copy for a driver, which may write into what it is given; our own code does not."""
        return array if self.timeout_s is None else np.array(array)

    def _ask(self, verb: str, operation: Callable[[], Any]) -> Any:
        if self._hanging:
            raise HardwareError(
                f"{self.name}: {verb} was not sent, for {self._hanging[0]} has not come back; "
                f"begin anew once the hardware answers"
            )
        try:
            return ask(self.name, verb, operation, self.timeout_s)
        except NoAnswerError:
            self._hanging.append(verb)
            raise

    def _checked(self, verb: str, answer: Any, shape: tuple[int, ...]) -> FloatArray:
        values: FloatArray = ask(self.name, f"{verb} with its answer", lambda: np.asarray(answer))
        if values.shape != shape or values.dtype.kind != "f":
            raise HardwareError(
                f"{self.name}: {verb} returned {values.dtype} of shape {values.shape}; floats of "
                f"shape {shape} were expected"
            )
        # Instruments answer in halves, big-endian or read-only memory, which torch cannot use.
        values = np.array(values, dtype=np.float32 if values.itemsize <= 4 else np.float64)
        if not np.isfinite(values).all():
            bad = int(np.count_nonzero(~np.isfinite(values)))
            raise HardwareError(
                f"{self.name}: {verb} returned {bad} of {values.size} values that are not finite"
            )
        return values


@dataclass(frozen=True)
class _GuardedClock:
    crossbar: Crossbar
    name: str
    timeout_s: float | None
    latest_s: list[float]

    @property
    def now_s(self) -> float:
        read = lambda: float(self.crossbar.clock.now_s)  # noqa: E731
        now_s: float = ask(self.name, "clock", read, self.timeout_s)
        if not (math.isfinite(now_s) and now_s >= self.latest_s[0]):
            raise HardwareError(
                f"{self.name}: the clock shows {now_s} s; it must be finite, not negative, and "
                f"never go back (it has shown {self.latest_s[0]:g} s)"
            )
        self.latest_s[0] = now_s
        return now_s

    def wait(self, duration_s: float) -> None:
        limit_s = None if self.timeout_s is None else self.timeout_s + duration_s
        ask(self.name, "waiting", lambda: self.crossbar.clock.wait(duration_s), limit_s)


def ask(name: str, verb: str, operation: Callable[[], Any], timeout_s: float | None = None) -> Any:
    """What `operation` returns; `HardwareError` if it raises or takes longer than `timeout_s`.

    Errors of pcmsim pass as they are. `name` and `verb` say in the error what failed at what.
    """
    try:
        return operation() if timeout_s is None else _timed(operation, timeout_s)
    except _LateError as error:
        raise NoAnswerError(f"{name}: {verb} failed (no answer within {timeout_s:g} s)") from error
    except PcmsimError:
        raise
    except (Exception, SystemExit) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise HardwareError(f"{name}: {verb} failed ({reason:.200})") from error


class _LateError(Exception):
    """Time is up. Not TimeoutError, which drivers raise of themselves when they are back."""


def _timed(operation: Callable[[], Any], timeout_s: float) -> Any:
    """Run `operation` in a thread that is left behind if it does not come back."""
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(operation())
        except BaseException as error:  # noqa: BLE001 - handed over to the caller
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if failure:
        raise failure[0]
    if not outcome:
        raise _LateError
    return outcome[0]
