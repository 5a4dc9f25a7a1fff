"""Checkpoints of a run in the loop: every few minutes, and whenever it ends."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pcmsim.errors import PcmsimError
from pcmsim.loop.crossbar import Crossbar
from pcmsim.loop.guarded import HardwareError
from pcmsim.loop.loop_checkpoint import save_training
from pcmsim.loop.loop_run import LoopRun


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
        except HardwareError:
            self.save(run)
            raise
        except PcmsimError:  # diverged, or nothing to write to: what was saved before is better
            raise
        except BaseException:
            if not run.busy:
                self.save(run)
            raise
        self.save(run)
