"""What a chip shows at one time: conductances and weights, with the spread of one read."""

from dataclasses import dataclass
from functools import partial

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
            # What was seen before goes first: of a large layer there is no room for two looks.
            del seen
            self._seen.pop(name, None)
            seen = self._seen[name] = self._look(name, matrix, stamp)
        return seen

    def _look(self, name: str, matrix: Matrix, stamp: tuple[float, int]) -> Seen:
        scale: FloatArray = matrix.scale.astype(matrix.states[0].g.dtype)
        now_s = self._clock.now_s
        if self._simple(matrix):
            seen = self._reading.pairs(name, matrix.states[0], now_s, scale)
            return Seen(stamp, *seen)
        tile = partial(self._look_at_tile, name, matrix, scale, now_s)
        if self._hardware.read_noise != "correlated":
            weight, g = matrix.gathered(tile)
            return Seen(stamp, weight, None, g, None)
        weight, g, variance, g_std = matrix.gathered(tile)
        return Seen(stamp, weight, variance, g, g_std)

    def _look_at_tile(
        self, name: str, matrix: Matrix, scale: FloatArray, now_s: float, i: int
    ) -> tuple[FloatArray, ...]:
        """Weights and conductances of tile `i`; with fresh noise also the variance and spread."""
        state, scale = matrix.states[i], scale[matrix.tiles[i].index[1]]
        g = self._reading.persistent(name, i, state, now_s)
        # Behind wires a device's noise reaches the output as its conductance does: to first order.
        behind = self._wired(g)
        weight = pair_difference(behind) * scale
        g_std = self._reading.fresh_std(state, g)
        fresh = g_std if behind is g else self._reading.fresh_std(state, behind)
        if g_std is None or fresh is None:
            return weight, g
        return weight, g, pair_variance(fresh**2) * scale**2, g_std

    def _simple(self, matrix: Matrix) -> bool:
        """Whether what is shown can be worked out in one pass, as it must be while it trains."""
        one_array = len(matrix.tiles) == 1 and self._hardware.pairs == 1
        return one_array and self._reading.often and self._hardware.wire_ohm == 0.0

    def _wired(self, g: FloatArray) -> FloatArray:
        """Conductances behind the wires; every pair has its own two arrays."""
        if self._hardware.wire_ohm == 0.0:
            return g
        arrays = g.reshape(-1, *g.shape[2:])
        return np.stack([wired(array, self._hardware.wire_ohm) for array in arrays]).reshape(
            g.shape
        )
