"""One weight matrix on a chip: its tiles, the devices of each, and its streams of chance."""

from dataclasses import dataclass, field

import numpy as np

from pcmsim.config import Hardware
from pcmsim.crossbar.mapping import FloatArray, Tile, tiles
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
        states = []
        for i, tile in enumerate(parts):
            size = (tile.rows[1] - tile.rows[0], tile.columns[1] - tile.columns[0])
            rng = stream(seed, "make", name, i)
            states.append(manufacture(values, (2, hardware.pairs, *size), rng, dtype))
        return cls(shape, np.ones(shape[1]), parts, states, stream(seed, "read", name))

    @property
    def device_shape(self) -> tuple[int, int, int, int]:
        """Shape (2, pairs, rows, columns) of all devices."""
        return (2, self.states[0].shape[1], *self.shape)

    def joined(self, parts: list[FloatArray]) -> FloatArray:
        """One array of all devices from those of the tiles."""
        if len(parts) == 1:
            return parts[0]
        whole: FloatArray = np.empty(self.device_shape, dtype=parts[0].dtype)
        for tile, part in zip(self.tiles, parts, strict=True):
            whole[:, :, tile.index[0], tile.index[1]] = part
        return whole

    def cut(self, whole: FloatArray) -> list[FloatArray]:
        """The part of each tile of an array of all devices."""
        return [whole[:, :, tile.index[0], tile.index[1]] for tile in self.tiles]
