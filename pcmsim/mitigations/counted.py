"""A crossbar whose use is counted as a cost of the site that it belongs to."""

import numpy as np

from pcmsim.loop import Crossbar, Timekeeper
from pcmsim.loop.crossbar import FloatArray, Shape
from pcmsim.mitigations.cost import Cost
from pcmsim.mitigations.site import Site


class Counted:
    """Passes every verb on to `crossbar`; see `Crossbar` for what they promise."""

    def __init__(self, crossbar: Crossbar, site: Site) -> None:
        self._crossbar, self._site = crossbar, site

    @property
    def shape(self) -> Shape:
        """Shape (2, pairs, rows, columns) of the array of devices."""
        return self._crossbar.shape

    @property
    def clock(self) -> Timekeeper:
        """The clock of the chip."""
        return self._crossbar.clock

    def program(self, g_target: FloatArray, where: FloatArray | None = None) -> None:
        """Count the devices that are programmed."""
        devices = np.size(g_target) if where is None else np.count_nonzero(where)
        self._site.cost += Cost(programmed=int(devices))
        self._crossbar.program(g_target, where)

    def pulse(self, counts: FloatArray) -> None:
        """Count a device that gets pulses as programmed."""
        self._site.cost += Cost(programmed=int(np.count_nonzero(counts)))
        self._crossbar.pulse(counts)

    def read(self, where: FloatArray | None = None) -> FloatArray:
        """Count a product for every row that has a device to be read, and the devices read."""
        rows, devices = int(np.prod(self.shape[:-1])), int(np.prod(self.shape))
        if where is not None:
            rows, devices = int(where.any(axis=-1).sum()), int(np.count_nonzero(where))
        self._site.cost += Cost(products=rows, macs=devices)
        return self._crossbar.read(where)

    def multiply(self, x: FloatArray) -> FloatArray:
        """Count a product for every row of `x`."""
        weights = self.shape[2] * self.shape[3]
        self._site.cost += Cost(products=len(x), macs=len(x) * weights)
        return self._crossbar.multiply(x)
