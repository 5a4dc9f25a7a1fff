"""A crossbar of perfect devices that remembers what it was asked: for tests of training loops."""

import numpy as np

from pcmsim.clock import Clock
from pcmsim.crossbar import RESET
from pcmsim.loop.crossbar import (
    FloatArray,
    Shape,
    check_counts,
    check_rows,
    check_targets,
    check_where,
)


class MockCrossbar:
    """Devices that take any target exactly and gain `g_step` [µS] with each SET pulse.

    `calls` lists the operations in order. Every operation takes `duration_s` of the clock.

    >>> crossbar = MockCrossbar((2, 1, 1, 1))
    >>> crossbar.program(np.array([5.0, 2.0]).reshape(2, 1, 1, 1))
    >>> crossbar.multiply(np.ones((1, 1))).tolist(), crossbar.calls
    ([[3.0]], ['program', 'multiply'])
    """

    def __init__(
        self, shape: Shape, g_step: float = 0.5, clock: Clock | None = None, duration_s: float = 1.0
    ) -> None:
        self.shape, self.g_step, self.duration_s = shape, g_step, duration_s
        self.clock = clock or Clock()
        self.g: FloatArray = np.zeros(shape)
        self.calls: list[str] = []

    def program(self, g_target: FloatArray, where: FloatArray | None = None) -> None:
        """Take the targets as they are."""
        check_targets(g_target, where, self.shape)
        self._note("program")
        g_target = np.asarray(g_target, dtype=np.float64)
        self.g = g_target.copy() if where is None else np.where(where, g_target, self.g)

    def pulse(self, counts: FloatArray) -> None:
        """Add `g_step` for each SET pulse; RESET is zero."""
        check_counts(counts, self.shape)
        self._note("pulse")
        counts = np.asarray(counts)
        self.g = np.where(counts == RESET, 0.0, self.g + self.g_step * np.maximum(counts, 0))

    def read(self, where: FloatArray | None = None) -> FloatArray:
        """Show the conductances as they are."""
        check_where(where, self.shape)
        self._note("read")
        return self.g.copy() if where is None else self.g[where]

    def multiply(self, x: FloatArray) -> FloatArray:
        """Multiply exactly."""
        check_rows(x, self.shape)
        self._note("multiply")
        return np.asarray(x @ (self.g[0] - self.g[1]).mean(axis=0))

    def _note(self, call: str) -> None:
        self.calls.append(call)
        self.clock.wait(self.duration_s)
