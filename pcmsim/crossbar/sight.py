"""What a chip shows at one time: conductances and weights, with the spread of one read."""

from dataclasses import dataclass

import numpy as np

from pcmsim.clock import Clock
from pcmsim.config import Hardware
from pcmsim.crossbar.mapping import FloatArray, pair_difference, pair_variance
from pcmsim.crossbar.matrix import Matrix
from pcmsim.crossbar.reading import Reading
from pcmsim.crossbar.wires import wired
from pcmsim.devices import some

# A read of fewer than one device in so many does not look at the others.
FEW = 20


@dataclass(frozen=True)
class Seen:
    """What the chip shows at one time, until the clock or the devices change.

    Weights with the variance of one read; conductances [µS] with its standard deviation.
    """

    stamp: tuple[float, int]
    weight: FloatArray
    variance: FloatArray | None
    g: FloatArray
    g_std: FloatArray | None


class Sight:
    """Looks at the matrices of one chip, and remembers what it saw until something moves."""

    def __init__(self, hardware: Hardware, reading: Reading, clock: Clock) -> None:
        self._hardware, self._reading, self._clock = hardware, reading, clock
        self._seen: dict[str, Seen] = {}

    def shown(
        self, name: str, matrix: Matrix, where: FloatArray | None
    ) -> tuple[FloatArray, FloatArray | None]:
        """Conductances that are there to be read [µS], and the standard deviation of one read."""
        # Not a matter of what was seen before: the numbers must not depend on that, not even by
        # the rounding in which the two ways differ.
        if where is not None and self._few(matrix, where):
            numbers = np.flatnonzero(where)
            state = some(matrix.states[0], numbers)
            g = self._reading.persistent(name, 0, state, self._clock.now_s, numbers)
            return g, self._reading.fresh_std(state, g)
        seen = self.see(name, matrix)
        if where is None:
            return seen.g, seen.g_std
        return seen.g[where], None if seen.g_std is None else seen.g_std[where]

    def _few(self, matrix: Matrix, where: FloatArray) -> bool:
        """Whether looking at all devices for the sake of these would cost more than these."""
        one_array = len(matrix.tiles) == 1 and self._hardware.read_noise != "marginal"
        return bool(one_array and FEW * np.count_nonzero(where) < where.size)

    def see(self, name: str, matrix: Matrix) -> Seen:
        """What the matrix shows now; looked at only if the clock or the devices have moved."""
        stamp = (self._clock.now_s, matrix.writes)
        seen = self._seen.get(name)
        if seen is None or seen.stamp != stamp:
            seen = self._seen[name] = self._look(name, matrix, stamp)
        return seen

    def _look(self, name: str, matrix: Matrix, stamp: tuple[float, int]) -> Seen:
        scale: FloatArray = matrix.scale.astype(matrix.states[0].g.dtype)
        now_s = self._clock.now_s
        if self._simple(matrix):
            seen = self._reading.pairs(name, matrix.states[0], now_s, scale)
            return Seen(stamp, *seen)
        shown = [self._reading.persistent(name, i, s, now_s) for i, s in enumerate(matrix.states)]
        stds = self._fresh(matrix, shown)
        g = matrix.joined(shown)
        # Behind wires a device's noise reaches the output as its conductance does: to first order.
        parts = [self._wired(part) for part in shown]
        behind = matrix.joined(parts) if self._hardware.wire_ohm else g
        weight = pair_difference(behind) * scale
        if stds is None:
            return Seen(stamp, weight, None, g, None)
        g_std = fresh = matrix.joined(stds)
        if self._hardware.wire_ohm:
            fresh = matrix.joined(self._fresh(matrix, parts) or [])
        return Seen(stamp, weight, pair_variance(fresh**2) * scale**2, g, g_std)

    def _simple(self, matrix: Matrix) -> bool:
        """Whether what is shown can be worked out in one pass, as it must be while it trains."""
        one_array = len(matrix.tiles) == 1 and self._hardware.pairs == 1
        return one_array and self._reading.often and self._hardware.wire_ohm == 0.0

    def _fresh(self, matrix: Matrix, parts: list[FloatArray]) -> list[FloatArray] | None:
        stds = [self._reading.fresh_std(s, g) for s, g in zip(matrix.states, parts, strict=True)]
        return [std for std in stds if std is not None] or None

    def _wired(self, g: FloatArray) -> FloatArray:
        """Conductances behind the wires; every pair has its own two arrays."""
        if self._hardware.wire_ohm == 0.0:
            return g
        arrays = g.reshape(-1, *g.shape[2:])
        return np.stack([wired(array, self._hardware.wire_ohm) for array in arrays]).reshape(
            g.shape
        )
