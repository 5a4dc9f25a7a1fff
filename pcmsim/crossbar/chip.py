"""A chip: arrays of devices under one clock, programmed with the weights of a network."""

import math
from typing import Literal

import numpy as np

from pcmsim.clock import Clock
from pcmsim.config import Hardware
from pcmsim.crossbar.converters import pulse_widths, sampled
from pcmsim.crossbar.mapping import (
    FloatArray,
    check_weight,
    pair_targets,
    weight_scale,
)
from pcmsim.crossbar.matrix import Matrix
from pcmsim.crossbar.product import noisy_product
from pcmsim.crossbar.reading import Reading
from pcmsim.crossbar.sight import Seen, Sight
from pcmsim.crossbar.writing import RESET, Writing, Written
from pcmsim.devices import (
    Ambient,
    ParameterSet,
    Recent,
    check_target,
    load_parameter_set,
    standard_normal,
    temperature_law,
)
from pcmsim.errors import UsageError
from pcmsim.rng import stream

MOST_PULSES, MOST_WEIGHTS = 10_000, 10**9
Method = Literal["statistical", "verify"]


class Chip:
    """Simulated phase-change memory that holds named matrices and multiplies with them.

    `hardware` says how weights become conductances and which read noise there is:
    "correlated" (slow fluctuations that persist, fast ones new in every product), "marginal" (one
    draw of the whole noise for each time of the clock) or "none". The same `seed` and the same
    operations give the same numbers; reading changes neither what is programmed nor its drift.
    A chip that is looked at `often`, a moment after it was looked at before, keeps what it knows
    of its slow noise, at 0.8 kB per device; its numbers are the same to rounding. Chips of one
    seed may share what they work out of it through `recent`.
    `ambient` is the temperature around the chip against its clock; None is the reference
    temperature of the parameter set. Raises `UsageError` for one that the set does not hold at.

    >>> chip = Chip(seed=1)
    >>> chip.program("w", np.eye(3))
    >>> chip.clock.wait(3600.0)
    >>> chip.multiply("w", np.eye(3)).shape, chip.n_devices
    ((3, 3), 18)
    """

    def __init__(
        self,
        hardware: Hardware | None = None,
        seed: int = 0,
        *,
        parameter_set: ParameterSet | None = None,
        clock: Clock | None = None,
        dtype: type = np.float32,
        often: bool = False,
        ambient: Ambient | None = None,
        recent: Recent | None = None,
    ) -> None:
        self.hardware = hardware or Hardware()
        self.parameter_set = parameter_set or load_parameter_set(self.hardware.device)
        self.values = self.parameter_set.values
        self.seed, self.clock, self.dtype = seed, clock or Clock(), np.dtype(dtype).type
        self.matrices: dict[str, Matrix] = {}
        if ambient is not None:
            temperature_law(self.values, ambient)
        self.ambient = ambient
        self.reading = Reading(self.values, self.hardware.read_noise, seed, often, ambient, recent)
        self._writing = Writing(
            self.parameter_set, self.hardware.verify, self.reading, seed, ambient
        )
        self._sight = Sight(self.hardware, self.reading, self.clock)

    @property
    def n_devices(self) -> int:
        """How many devices the matrices occupy."""
        return sum(matrix.n_devices for matrix in self.matrices.values())

    def allocate(self, name: str, shape: tuple[int, int]) -> None:
        """Set devices apart for a matrix of (rows, columns), all in RESET, with a scale of one.

        Raises `UsageError` for a name that is none, or if the matrix is there in another shape.
        """
        if not isinstance(name, str) or not name.strip(".") or set(name) & {"/", "\0"}:
            raise UsageError(f"name {name!r}: a matrix has a name without a slash")
        whole = isinstance(shape, tuple) and all(type(n) is int and n > 0 for n in shape)
        if not whole or len(shape) != 2 or shape[0] * shape[1] > MOST_WEIGHTS:
            raise UsageError(
                f"shape of {name} is {shape!r}; write (rows, columns), whole numbers from 1, of at "
                f"most {MOST_WEIGHTS:,} weights together"
            )
        matrix = self.matrices.get(name)
        if matrix is None:
            self.matrices[name] = Matrix.made(
                name, shape, self.values, self.hardware, self.seed, self.dtype
            )
        elif shape != matrix.shape:
            raise UsageError(f"{name} occupies an array of {matrix.shape}; got shape {shape}")

    def program(
        self, name: str, weight: FloatArray, method: Method | None = None
    ) -> Written | None:
        """Write the matrix `weight` (rows = inputs, columns = outputs) under `name`.

        The first time devices are set apart for it; later they are programmed again. `method`
        defaults to `hardware.programming`: "statistical" takes no time, "verify" runs the closed
        loop, lets its time pass and returns what it found.
        Raises `UsageError` for NaN or infinite weights, or a shape that differs from before.
        """
        weight = _real(weight, name).astype(np.float64, copy=False)
        check_weight(weight, name)
        self.allocate(name, (weight.shape[0], weight.shape[1]))
        matrix = self.matrices[name]
        matrix.scale = weight_scale(weight, self.values, self.hardware)
        pairs = self.hardware.pairs
        target = pair_targets(weight, matrix.scale, self.values.g_max, pairs, self.dtype)
        return self.write(name, target, method=method)

    def write(
        self,
        name: str,
        g_target: FloatArray,
        where: FloatArray | None = None,
        method: Method | None = None,
    ) -> Written | None:
        """Program devices of a matrix to `g_target` [µS], (2, pairs, rows, columns), as `program`.

        `where`, a boolean array of that shape, chooses devices; the others are left alone.
        Raises `UsageError` for targets that no device has, before any is touched.
        """
        matrix = self._matrix(name)
        target = _real(g_target, f"g_target of {name}").astype(self.dtype, copy=False)
        self._check_shape(matrix, "g_target", target)
        if where is not None:
            self._check_mask(matrix, where)
        check_target(self.values, target if where is None else target[where])
        if method not in (None, "statistical", "verify"):
            raise UsageError(f"method {method!r} is not known; write statistical or verify")
        if (method or self.hardware.programming) == "statistical":
            self._writing.statistical(name, matrix, target, where, self.clock.now_s)
            return None
        written = self._writing.verified(name, matrix, target, where, self.clock.now_s)
        self.clock.wait(written.seconds)
        return written

    def pulse(self, name: str, counts: FloatArray) -> None:
        """Send pulses to devices of a matrix: n > 0 SET pulses, -1 for RESET, 0 for none.

        `counts` has the shape (2, pairs, rows, columns). Pulses act on what drift has left, and
        take no time. Raises `UsageError` for other counts, or if the parameter set has no pulses.
        """
        matrix = self._matrix(name)
        counts = np.asarray(counts)
        self._check_shape(matrix, "counts", counts)
        if counts.dtype.kind not in "iu" or (counts.size and counts.min() < RESET):
            raise UsageError("counts must be whole numbers: n SET pulses, -1 for RESET, 0 for none")
        if counts.size and counts.max() > MOST_PULSES:
            raise UsageError(f"counts reach {counts.max()}; send at most {MOST_PULSES} at once")
        self._writing.pulsed(name, matrix, counts, self.clock.now_s)

    def conductances(self, name: str) -> FloatArray:
        """Drifted conductances [µS] at the clock's time, (2, pairs, rows, columns), noiseless."""
        matrix, now_s = self._matrix(name), self.clock.now_s
        return matrix.gathered(lambda i: (self.reading.conductance(matrix.states[i], now_s),))[0]

    def read(self, name: str, where: FloatArray | None = None) -> FloatArray:
        """Conductances [µS] as one read of every device shows them now, (2, pairs, rows, columns).

        With `where`, a boolean array of that shape, only of the devices it chooses, in order.
        With the noise of `hardware.read_noise`. A converter reads no device below zero; products
        and `weights` add up currents before they convert, and cut nothing off.
        """
        matrix = self._matrix(name)
        if where is not None:
            self._check_mask(matrix, where)
        g, std = self._sight.shown(name, matrix, where)
        if std is None:
            return g.copy()
        shown = standard_normal(matrix.reads, std.shape, self.dtype)
        # In place: of a large layer each array of all devices takes a good part of the memory.
        np.multiply(shown, std, out=shown)
        np.add(shown, g, out=shown)
        return np.maximum(shown, 0, out=shown)

    def weights(self, name: str) -> FloatArray:
        """Weights as one read of every device shows them now, (rows, columns).

        The law of one product with each one-hot vector, without the products.
        """
        matrix = self._matrix(name)
        seen = self._sight.see(name, matrix)
        if seen.variance is None:
            return seen.weight.copy()
        noise = standard_normal(matrix.reads, matrix.shape, self.dtype)
        return np.asarray(seen.weight + noise * np.sqrt(seen.variance))

    def multiply(self, name: str, x: FloatArray) -> FloatArray:
        """Product x W measured on the arrays now; shapes (..., rows) -> (..., columns).

        Raises `UsageError` for an unknown name, a wrong number of rows, or inputs not finite.
        """
        matrix = self._matrix(name)
        x = _real(x, f"inputs of {name}").astype(self.dtype, copy=False)
        if x.shape[-1:] != matrix.shape[:1]:
            raise UsageError(f"{name} has {matrix.shape[0]} rows; got inputs of shape {x.shape}")
        # One pass at the speed of memory: the sum of squares carries any NaN or infinity along.
        if not (math.isfinite(np.vdot(x, x)) or np.isfinite(x).all()):
            raise UsageError(f"inputs of {name} hold NaN or infinite values; a row driver has none")
        seen = self._sight.see(name, matrix)
        if x.ndim == 2:
            return self._product(matrix, seen, x)
        y = self._product(matrix, seen, x.reshape(-1, matrix.shape[0]))
        return y.reshape(*x.shape[:-1], matrix.shape[1])

    def address_reads(self, *names: str | int) -> None:
        """Let the noise of the next reads come from the streams called `names`.

        Evaluations that address their reads do not depend on which others came before.
        """
        for name, matrix in self.matrices.items():
            matrix.reads = stream(self.seed, "read", name, *names)

    def _product(self, matrix: Matrix, seen: Seen, x: FloatArray) -> FloatArray:
        """Product through the converters, if there are any; each tile has its own outputs."""
        if self.hardware.input_bits is not None:
            x = pulse_widths(x, self.hardware.input_bits)
        if self.hardware.output_bits is None:
            return noisy_product(x, seen.weight, seen.variance, matrix.reads)
        full_scale = self.hardware.output_bound * matrix.scale * self.values.g_max
        y: FloatArray = np.zeros((len(x), matrix.shape[1]), dtype=self.dtype)
        for rows in sorted({tile.rows for tile in matrix.tiles}):
            part = slice(*rows)
            variance = None if seen.variance is None else seen.variance[part]
            partial = noisy_product(x[:, part], seen.weight[part], variance, matrix.reads)
            y += sampled(partial, self.hardware.output_bits, full_scale)
        return y

    def _matrix(self, name: str) -> Matrix:
        if name not in self.matrices:
            raise UsageError(f"no matrix {name!r} on this chip; it holds {sorted(self.matrices)}")
        return self.matrices[name]

    def _check_mask(self, matrix: Matrix, where: FloatArray) -> None:
        self._check_shape(matrix, "where", where)
        if not isinstance(where, np.ndarray) or where.dtype != np.bool_:
            raise UsageError("where must be an array of booleans, one for each device")

    def _check_shape(self, matrix: Matrix, name: str, array: FloatArray) -> None:
        if np.shape(array) != matrix.device_shape:
            raise UsageError(
                f"{name} must have shape {matrix.device_shape}, one value per device; got "
                f"{np.shape(array)}"
            )


def _real(values: FloatArray, name: str) -> FloatArray:
    """Values as an array; refuses what is not made of real numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise UsageError(f"{name} must be real numbers; got an array of {array.dtype}")
    return array
