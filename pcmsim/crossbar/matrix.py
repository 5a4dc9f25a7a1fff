"""One weight matrix on a chip: its tiles, the devices of each, and its streams of chance."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pcmsim.config import Hardware
from pcmsim.crossbar.mapping import FloatArray, Tile, tiles
from pcmsim.crossbar.side_by_side import side_by_side
from pcmsim.devices import ArrayState, Values, manufacture
from pcmsim.rng import stream


@dataclass
class Matrix:
    """`states` are the devices of each tile, `scale` is the weight per microsiemens of a column.

    `writes` counts what has been done to devices, so that what was seen before is not shown again.
    """

    shape: tuple[int, int]
    scale: FloatArray
    tiles: tuple[Tile, ...]
    states: list[ArrayState]
    reads: np.random.Generator
    writes: int = field(default=0)

    @classmethod
    def made(
        cls,
        name: str,
        shape: tuple[int, int],
        values: Values,
        hardware: Hardware,
        seed: int,
        dtype: type,
    ) -> "Matrix":
        """New arrays, in RESET, with a scale of one."""
        parts = tiles(shape, hardware.tile_rows, hardware.tile_columns)

        def make(i: int) -> ArrayState:
            tile, rng = parts[i], stream(seed, "make", name, i)
            size = (tile.rows[1] - tile.rows[0], tile.columns[1] - tile.columns[0])
            return manufacture(values, (2, hardware.pairs, *size), rng, dtype)

        devices = 2 * hardware.pairs * shape[0] * shape[1]
        states = side_by_side(make, len(parts), devices)
        return cls(shape, np.ones(shape[1]), parts, states, stream(seed, "read", name))

    @property
    def device_shape(self) -> tuple[int, int, int, int]:
        """Shape (2, pairs, rows, columns) of all devices."""
        return (2, self.states[0].shape[1], *self.shape)

    @property
    def n_devices(self) -> int:
        """How many devices there are in all tiles."""
        return math.prod(self.device_shape)

    def each(self, work: Callable[[int], None]) -> None:
        """Do `work` for each tile, given its number, side by side if the matrix is large."""
        side_by_side(work, len(self.tiles), self.n_devices)

    def gathered(self, look: Callable[[int], tuple[FloatArray, ...]]) -> tuple[FloatArray, ...]:
        """Arrays of the whole matrix from those that `look` gives for the number of a tile.

        Their last two dimensions are rows and columns. No more than a few tiles are held besides.
        """
        first = look(0)
        if len(self.tiles) == 1:
            return first
        whole = tuple(np.empty((*part.shape[:-2], *self.shape), part.dtype) for part in first)

        def fill(i: int) -> None:
            for array, part in zip(whole, first if i == 0 else look(i), strict=True):
                array[..., *self.tiles[i].index] = part

        self.each(fill)
        return whole

    def joined(self, parts: list[FloatArray]) -> FloatArray:
        """One array of all devices from those of the tiles."""
        return self.gathered(lambda i: (parts[i],))[0]

    def cut(self, whole: FloatArray) -> list[FloatArray]:
        """The part of each tile of an array of all devices."""
        return [whole[:, :, tile.index[0], tile.index[1]] for tile in self.tiles]
