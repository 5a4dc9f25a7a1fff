"""Checkpoints of a run in the loop: every few minutes, and whenever it ends."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pcmsim.errors import PcmsimError
from pcmsim.loop.crossbar import Crossbar, FloatArray, Shape, Timekeeper
from pcmsim.loop.in_loop import LoopRun
from pcmsim.loop.loop_checkpoint import save_training


class Autosave:
    """Saves a run to `folder` when `minutes` have passed since it was last saved.

    Minutes are those of the wall clock: what is at stake is the user's time, not the chip's.
    """

    def __init__(self, arrays: Mapping[str, Crossbar], folder: Path, minutes: float) -> None:
        self._arrays, self._folder, self._interval_s = arrays, folder, 60.0 * minutes
        self._saved_s = time.monotonic()

    def __call__(self, run: LoopRun) -> None:
        """Save if it is time."""
        if time.monotonic() - self._saved_s >= self._interval_s:
            self.save(run)

    def save(self, run: LoopRun) -> None:
        """Save now."""
        save_training(run, self._arrays, self._folder)
        self._saved_s = time.monotonic()

    @contextmanager
    def guarding(self, run: LoopRun) -> Iterator[None]:
        """Save when the block ends; also when hardware fails in it, or it is stopped at a mark."""
        try:
            yield
        except PcmsimError:
            self.save(run)
            raise
        except BaseException:
            if not run.busy:
                self.save(run)
            raise
        self.save(run)


class Announcing:
    """An array that lets `announce` be called before anything is sent to its devices.

    A real chip keeps what it was sent, whatever becomes of the run. If the run is saved before each
    sending, a run that is killed goes on without sending anything twice.
    """

    def __init__(self, crossbar: Crossbar, announce: Callable[[], None]) -> None:
        self._crossbar, self._announce = crossbar, announce

    @property
    def shape(self) -> Shape:
        """Shape of the array of devices."""
        return self._crossbar.shape

    @property
    def clock(self) -> Timekeeper:
        """Clock of the chip."""
        return self._crossbar.clock

    def program(self, g_target: FloatArray, where: FloatArray | None = None) -> None:
        """Announce, then program."""
        self._announce()
        self._crossbar.program(g_target, where)

    def pulse(self, counts: FloatArray) -> None:
        """Announce, then send pulses."""
        self._announce()
        self._crossbar.pulse(counts)

    def read(self, where: FloatArray | None = None) -> FloatArray:
        """Read devices."""
        return self._crossbar.read(where)

    def multiply(self, x: FloatArray) -> FloatArray:
        """Multiply."""
        return self._crossbar.multiply(x)
