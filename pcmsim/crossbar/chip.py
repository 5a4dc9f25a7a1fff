"""A chip: arrays of devices under one clock, programmed with the weights of a network."""

import math
from dataclasses import dataclass

import numpy as np

from pcmsim.clock import Clock
from pcmsim.config import Hardware
from pcmsim.crossbar.converters import pulse_widths, sampled
from pcmsim.crossbar.mapping import (
    FloatArray,
    Tile,
    check_weight,
    pair_difference,
    pair_targets,
    pair_variance,
    tiles,
    weight_scale,
)
from pcmsim.crossbar.product import noisy_product
from pcmsim.crossbar.reading import Reading
from pcmsim.crossbar.wires import wired
from pcmsim.devices import (
    ArrayState,
    ParameterSet,
    conductance,
    load_parameter_set,
    manufacture,
    program,
    standard_normal,
)
from pcmsim.errors import UsageError
from pcmsim.rng import stream


@dataclass
class Matrix:
    """One weight matrix on the chip: its scale per column, and the devices of each tile."""

    shape: tuple[int, int]
    scale: FloatArray
    tiles: tuple[Tile, ...]
    states: list[ArrayState]
    reads: np.random.Generator


@dataclass(frozen=True)
class _Seen:
    """Weights as the chip shows them at one time, until the clock or the devices change."""

    stamp: tuple[float, int]
    weight: FloatArray
    variance: FloatArray | None


class Chip:
    """Simulated phase-change memory that holds named matrices and multiplies with them.

    `hardware` says how weights become conductances and which read noise there is:
    "correlated" (slow fluctuations that persist, fast ones new in every product), "marginal" (one
    draw of the whole noise for each time of the clock) or "none". The same `seed` and the same
    operations give the same numbers; reading changes neither what is programmed nor its drift.

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
    ) -> None:
        self.hardware = hardware or Hardware()
        self.parameter_set = parameter_set or load_parameter_set(self.hardware.device)
        self.values = self.parameter_set.values
        self.seed, self.clock, self.dtype = seed, clock or Clock(), np.dtype(dtype).type
        self.matrices: dict[str, Matrix] = {}
        self.reading = Reading(self.values, self.hardware.read_noise, seed)
        self._seen: dict[str, _Seen] = {}

    @property
    def n_devices(self) -> int:
        """How many devices the programmed matrices occupy."""
        return sum(state.g.size for m in self.matrices.values() for state in m.states)

    def program(self, name: str, weight: FloatArray) -> None:
        """Write the matrix `weight` (rows = inputs, columns = outputs) under `name`.

        The first time devices are set apart for it; later they are programmed again.
        Raises `UsageError` for NaN or infinite weights, or a shape that differs from before.
        """
        weight = _real(weight, name).astype(np.float64)
        check_weight(weight, name)
        if not isinstance(name, str) or not name.strip(".") or set(name) & {"/", "\0"}:
            raise UsageError(f"name {name!r}: a matrix has a name without a slash")
        matrix = self.matrices.get(name) or self._new_matrix(name, weight.shape)
        if weight.shape != matrix.shape:
            raise UsageError(
                f"{name} occupies an array of {matrix.shape}; got shape {weight.shape}"
            )
        matrix.scale = weight_scale(weight, self.values, self.hardware)
        target = pair_targets(weight, matrix.scale, self.values, self.hardware.pairs)
        for i, (tile, state) in enumerate(zip(matrix.tiles, matrix.states, strict=True)):
            rng = stream(self.seed, "write", name, i, state.programmings)
            part = target[:, :, tile.index[0], tile.index[1]]
            matrix.states[i] = program(self.values, state, part, self.clock.now_s, rng)
        self.matrices[name] = matrix

    def conductances(self, name: str) -> FloatArray:
        """Drifted conductances [µS] at the clock's time, (2, pairs, rows, columns), noiseless."""
        matrix, now_s = self._matrix(name), self.clock.now_s
        return self._join(matrix, [conductance(self.values, s, now_s) for s in matrix.states])

    def read(self, name: str) -> FloatArray:
        """Conductances [µS] as one read of every device shows them now, (2, pairs, rows, columns).

        With the noise of `hardware.read_noise`. A converter reads no device below zero; products
        and `weights` add up currents before they convert, and cut nothing off.
        """
        matrix = self._matrix(name)
        parts = self._persistent(name, matrix)
        for k, state in enumerate(matrix.states):
            std = self.reading.fresh_std(state, parts[k])
            if std is not None:
                noise = std * standard_normal(matrix.reads, std.shape, self.dtype)
                parts[k] = np.maximum(parts[k] + noise, 0)
        return self._join(matrix, parts)

    def weights(self, name: str) -> FloatArray:
        """Weights as one read of every device shows them now, (rows, columns).

        The law of one product with each one-hot vector, without the products.
        """
        seen, matrix = self._see(name), self._matrix(name)
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
        if x.ndim == 2:
            return self._product(matrix, self._see(name), x)
        y = self._product(matrix, self._see(name), x.reshape(-1, matrix.shape[0]))
        return y.reshape(*x.shape[:-1], matrix.shape[1])

    def address_reads(self, *names: str | int) -> None:
        """Let the noise of the next reads come from the streams called `names`.

        Evaluations that address their reads do not depend on which others came before.
        """
        for name, matrix in self.matrices.items():
            matrix.reads = stream(self.seed, "read", name, *names)

    def _product(self, matrix: Matrix, seen: _Seen, x: FloatArray) -> FloatArray:
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

    def _new_matrix(self, name: str, shape: tuple[int, int]) -> Matrix:
        parts = tiles(shape, self.hardware.tile_rows, self.hardware.tile_columns)
        states = []
        for i, tile in enumerate(parts):
            size = (tile.rows[1] - tile.rows[0], tile.columns[1] - tile.columns[0])
            rng = stream(self.seed, "make", name, i)
            full = (2, self.hardware.pairs, *size)
            states.append(manufacture(self.values, full, rng, self.dtype))
        return Matrix(shape, np.ones(shape[1]), parts, states, stream(self.seed, "read", name))

    def _matrix(self, name: str) -> Matrix:
        if name not in self.matrices:
            raise UsageError(f"no matrix {name!r} on this chip; it holds {sorted(self.matrices)}")
        return self.matrices[name]

    def _join(self, matrix: Matrix, parts: list[FloatArray]) -> FloatArray:
        if len(parts) == 1:
            return parts[0]
        whole: FloatArray = np.empty((2, self.hardware.pairs, *matrix.shape), dtype=self.dtype)
        for tile, part in zip(matrix.tiles, parts, strict=True):
            whole[:, :, tile.index[0], tile.index[1]] = part
        return whole

    def _see(self, name: str) -> _Seen:
        matrix = self._matrix(name)
        stamp = (self.clock.now_s, matrix.states[0].programmings)
        seen = self._seen.get(name)
        if seen is None or seen.stamp != stamp:
            seen = self._seen[name] = self._look(name, matrix, stamp)
        return seen

    def _look(self, name: str, matrix: Matrix, stamp: tuple[float, int]) -> _Seen:
        scale: FloatArray = matrix.scale.astype(self.dtype)
        parts = [self._wired(g) for g in self._persistent(name, matrix)]
        weight = pair_difference(self._join(matrix, parts)) * scale
        # Behind wires a device's noise reaches the output as its conductance does: to first order.
        stds = [self.reading.fresh_std(s, g) for s, g in zip(matrix.states, parts, strict=True)]
        fresh = [std for std in stds if std is not None]
        if not fresh:
            return _Seen(stamp, weight, None)
        return _Seen(stamp, weight, pair_variance(self._join(matrix, fresh) ** 2) * scale**2)

    def _wired(self, g: FloatArray) -> FloatArray:
        """Conductances behind the wires; every pair has its own two arrays."""
        if self.hardware.wire_ohm == 0.0:
            return g
        arrays = g.reshape(-1, *g.shape[2:])
        return np.stack([wired(array, self.hardware.wire_ohm) for array in arrays]).reshape(g.shape)

    def _persistent(self, name: str, matrix: Matrix) -> list[FloatArray]:
        """Conductances of each tile as all reads at this time of the clock share them [µS]."""
        now_s = self.clock.now_s
        return [self.reading.persistent(name, i, s, now_s) for i, s in enumerate(matrix.states)]


def _real(values: FloatArray, name: str) -> FloatArray:
    """Values as an array; refuses what is not made of real numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise UsageError(f"{name} must be real numbers; got an array of {array.dtype}")
    return array
