"""The bench that promises are tested on: a crossbar, its terms, and patterns to write."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcmsim.crossbar import RESET
from pcmsim.loop.contract.terms import Terms
from pcmsim.loop.crossbar import Crossbar, FloatArray


class BrokenError(Exception):
    """What was found instead of what was promised."""


@dataclass(frozen=True)
class Bench:
    """A crossbar, what is known of its devices, and chance for the patterns."""

    crossbar: Crossbar
    terms: Terms
    rng: np.random.Generator

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape (2, pairs, rows, columns) of the array."""
        two, pairs, rows, columns = self.crossbar.shape
        return two, pairs, rows, columns

    def pattern(self, low: float = 0.0, high: float = 1.0) -> FloatArray:
        """Targets [µS] between these shares of g_max, another one for every device."""
        n = int(np.prod(self.shape))
        levels = np.linspace(low, high, n) * self.terms.g_max
        return self.rng.permutation(levels).reshape(self.shape).astype(np.float32)

    def half(self) -> NDArray[np.bool_]:
        """Half of all devices, chosen by chance."""
        n = int(np.prod(self.shape))
        return np.asarray(self.rng.permutation(n).reshape(self.shape) < n // 2)

    def inputs(self, n: int) -> FloatArray:
        """Rows of inputs (n, rows)."""
        x = self.rng.uniform(self.terms.x_min, 1.0, (n, self.shape[2]))
        return x.astype(np.float32)

    def program(self, g_target: FloatArray, where: NDArray[np.bool_] | None = None) -> None:
        """Program devices and let them settle."""
        self.crossbar.program(g_target, where)
        self._settle()

    def pulse(self, counts: NDArray[Any]) -> None:
        """Send pulses and let devices settle."""
        self.crossbar.pulse(counts.astype(np.int32))
        self._settle()

    def _settle(self) -> None:
        if self.terms.settle_s > 0.0:
            self.crossbar.clock.wait(self.terms.settle_s)

    def read(self, where: NDArray[np.bool_] | None = None) -> FloatArray:
        """A read, which has to be of finite floats in the right shape."""
        wanted = self.shape if where is None else (int(where.sum()),)
        return _array("read", self.crossbar.read(where), wanted)

    def multiply(self, x: FloatArray) -> FloatArray:
        """A product, which has to be of finite floats in the right shape."""
        return _array("multiply", self.crossbar.multiply(x), (len(x), self.shape[3]))

    def reset(self) -> None:
        """One RESET pulse to every device."""
        self.pulse(np.full(self.shape, RESET))

    def near(self, what: str, g: FloatArray, wanted: FloatArray, times: float = 1.0) -> None:
        """Devices show `wanted` [µS], but for the share that may be faulty."""
        allowed = times * self.terms.tolerance
        off = np.abs(g - wanted)
        missed = int(np.count_nonzero(off > allowed))
        if missed > self.terms.faulty * off.size:
            worst = np.unravel_index(int(np.argmax(off)), off.shape)
            at = ", ".join(str(int(i)) for i in worst)
            raise BrokenError(
                f"{missed} of {off.size} {what} by more than {allowed:g} uS; the worst, [{at}], "
                f"shows {g[worst]:g} instead of {wanted[worst]:g} uS"
            )


def _array(verb: str, answer: Any, shape: tuple[int, ...]) -> FloatArray:
    if not isinstance(answer, np.ndarray) or answer.dtype.kind != "f" or answer.shape != shape:
        found = getattr(answer, "dtype", type(answer).__name__)
        raise BrokenError(
            f"{verb} returned {found} of shape {np.shape(answer)}; an array of floats of shape "
            f"{shape} was expected"
        )
    if not np.isfinite(answer).all():
        raise BrokenError(f"{verb} returned values that are not finite")
    return answer.copy()


def pairs(g: FloatArray) -> FloatArray:
    """mean_p (G+ - G-) [µS], (rows, columns)."""
    return np.asarray((g[0] - g[1]).mean(axis=0))


def last(values: FloatArray, value: float) -> FloatArray:
    """`values` with `value` in the last place, where it is met last."""
    changed = values.copy()
    changed.flat[-1] = value
    return changed


def alike(bench: Bench, what: str, x: FloatArray, y: FloatArray, wanted: FloatArray) -> None:
    """Outputs agree: root mean square of their difference, per length of the input vector.

    Noise of n devices adds up to the root of n, which the length of the input takes account of: the
    difference of two products, or of a product and reads, has twice the deviation of one device,
    and the tolerance is five of them.
    """
    length = np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 0.1)
    off = float(np.sqrt(np.mean(((y - wanted) / length) ** 2)))
    allowed = bench.terms.tolerance / 2.0
    if not off <= allowed:
        raise BrokenError(
            f"products differ from those by {what} by {off:g} uS per unit of input, root mean "
            f"square; {allowed:g} uS is allowed"
        )


def stays(bench: Bench, what: str, operation: Callable[[], Any], times: int = 10) -> None:
    """Devices stay where they are: each of them, and more precisely their mean."""
    before = bench.read()
    for _ in range(times):
        operation()
    after = bench.read()
    bench.near(f"devices moved during {what}, all", after, before, 2.0)
    moved = float((after - before).mean())
    # Five standard deviations of one read are at most the tolerance; of a difference √2 times that.
    allowed = 2.0 * bench.terms.tolerance / np.sqrt(after.size)
    if not abs(moved) <= allowed:
        raise BrokenError(
            f"{what} moved devices by {moved:g} uS on average; {allowed:g} uS could be noise"
        )
