"""The simulated chip behind the seam: every operation takes simulated time, and devices drift."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from pcmsim.clock import Clock
from pcmsim.config import Hardware, Timing
from pcmsim.crossbar import Chip, chip_bytes, restore_chip
from pcmsim.errors import DataError
from pcmsim.loop.crossbar import FloatArray, Shape, check_rows, check_where


class SimulatedCrossbar:
    """One matrix of a simulated chip, in microsiemens; see `Crossbar` for what its verbs promise.

    Operations take the times of `hardware.timing`, after which the clock shows their end. Pulses
    and devices are written one after another, rows are read one after another.
    """

    def __init__(self, owner: "SimulatedArrays", name: str) -> None:
        self._owner, self._name = owner, name

    @property
    def _chip(self) -> Chip:
        return self._owner.chip

    @property
    def _timing(self) -> Timing:
        return self._chip.hardware.timing

    @property
    def shape(self) -> Shape:
        """Shape (2, pairs, rows, columns) of the array of devices."""
        return self._chip.matrices[self._name].device_shape

    @property
    def clock(self) -> Clock:
        """The clock of the chip."""
        return self._chip.clock

    def program(self, g_target: FloatArray, where: FloatArray | None = None) -> None:
        """Program by statistics or in the closed loop, as the hardware section says."""
        check_where(where, self.shape)
        written = self._chip.write(self._name, g_target, where)
        if written is None:
            devices = np.size(g_target) if where is None else np.count_nonzero(where)
            self.clock.wait(int(devices) * self._timing.program_s)

    def pulse(self, counts: FloatArray) -> None:
        """Send pulses one after another; they act at the time the first is sent."""
        self._chip.pulse(self._name, counts)
        self.clock.wait(int(np.abs(counts).sum()) * self._timing.pulse_s)

    def read(self, where: FloatArray | None = None) -> FloatArray:
        """Read devices row by row; rows with no chosen device are passed over."""
        check_where(where, self.shape)
        g = self._chip.read(self._name, where)
        rows = self.shape[0] * self.shape[1] * self.shape[2]
        if where is not None:
            rows = int(np.count_nonzero(where.any(axis=-1)))
        self.clock.wait(rows * self._timing.read_s)
        return g

    def multiply(self, x: FloatArray) -> FloatArray:
        """Multiply input by input; devices are taken as they are when the first is applied."""
        if np.ndim(x) != 2:  # the chip itself takes any number of leading dimensions
            check_rows(x, self.shape)
        y = self._chip.multiply(self._name, x)
        self.clock.wait(len(x) * self._timing.multiply_s)
        # Of one on a chip that was made for the loop; others know the weights behind the seam.
        return np.asarray(y / self._chip.matrices[self._name].scale.astype(y.dtype))

    def wear(self) -> Mapping[str, float]:
        """SET pulses and RESET or melt pulses so far: of all devices, and the most of one."""
        states = self._chip.matrices[self._name].states
        sets = [state.set_pulses for state in states]
        resets = [state.resets for state in states]
        return {
            "set_pulses": float(sum(int(n.sum()) for n in sets)),
            "resets": float(sum(int(n.sum()) for n in resets)),
            "most_set_pulses": float(max(int(n.max()) for n in sets)),
            "most_resets": float(max(int(n.max()) for n in resets)),
        }


class SimulatedArrays(Mapping[str, SimulatedCrossbar]):
    """All arrays of one simulated chip by name; the whole of it can be kept in a checkpoint.

    >>> arrays = SimulatedArrays({"w": (3, 4)}, Hardware(device="ideal"), seed=1)
    >>> arrays["w"].shape
    (2, 1, 3, 4)
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, int]],
        hardware: Hardware,
        seed: int,
        chip: Chip | None = None,
    ) -> None:
        self.chip = chip or Chip(hardware, seed, often=True)
        for name, shape in shapes.items():
            self.chip.allocate(name, shape)
        self._arrays = {name: SimulatedCrossbar(self, name) for name in shapes}

    @classmethod
    def around(cls, chip: Chip, names: Iterable[str]) -> "SimulatedArrays":
        """Arrays of a chip that is there already: its matrices `names`, with all they hold."""
        shapes = {name: chip.matrices[name].shape for name in names}
        return cls(shapes, chip.hardware, chip.seed, chip)

    def __getitem__(self, name: str) -> SimulatedCrossbar:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def snapshot(self) -> bytes:
        """State of the chip as one HDF5 file."""
        return chip_bytes(self.chip)

    def restore(self, state: bytes) -> None:
        """Go back to a snapshot; the next operation gives the numbers it would have given then."""
        chip = restore_chip(state, often=True)
        if set(chip.matrices) != set(self) or chip.seed != self.chip.seed:
            raise DataError(
                f"the snapshot is that of another chip, with seed {chip.seed} and "
                f"{sorted(chip.matrices)}; {self.chip.seed} and {sorted(self)} are needed"
            )
        self.chip = chip
