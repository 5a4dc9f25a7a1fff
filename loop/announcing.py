"""Saying so before anything is sent to the devices of an array."""

from collections.abc import Callable

from pcmsim.loop.crossbar import Crossbar, FloatArray, Shape, Timekeeper


class Announcing:
    """An array that lets `announce` be called before anything is sent to its devices.

    A real chip keeps what it was sent, whatever becomes of the run. If the run is saved before each
    sending, a run that is killed goes on without sending anything twice.
    """

    def __init__(self, crossbar: Crossbar, announce: Callable[[], None]) -> None:
        self._crossbar, self._announce = crossbar, announce

    @property
    def shape(self) -> Shape:
        """Shape of the array of devices."""
        return self._crossbar.shape

    @property
    def clock(self) -> Timekeeper:
        """Clock of the chip."""
        return self._crossbar.clock

    def program(self, g_target: FloatArray, where: FloatArray | None = None) -> None:
        """Announce, then program."""
        self._announce()
        self._crossbar.program(g_target, where)

    def pulse(self, counts: FloatArray) -> None:
        """Announce, then send pulses."""
        self._announce()
        self._crossbar.pulse(counts)

    def read(self, where: FloatArray | None = None) -> FloatArray:
        """Read devices."""
        return self._crossbar.read(where)

    def multiply(self, x: FloatArray) -> FloatArray:
        """Multiply."""
        return self._crossbar.multiply(x)
