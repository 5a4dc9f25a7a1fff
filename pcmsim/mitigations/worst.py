"""Refresh of the devices that are farthest from their targets, and of no other.

Of each matrix one read of every device is compared with the targets, in microsiemens and as it is.
What drift has taken from all alike counts: the devices that have lost most are the large ones, and
to write these gives back more of the output than to write those that stray from the common drift,
which would then be the only young ones among old.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.crossbar.mapping import FloatArray
from pcmsim.mitigations.site import Site


@dataclass(frozen=True)
class Worst:
    """Programs the share `share` of the devices of each matrix to their targets again.

    At the reference temperature: a warm device reads more than its target says. Devices that take
    no target are among them every time: the chip does not know that it is in
    vain.
    """

    share: float
    renews_devices, renews_reference = False, False

    def act(self, site: Site) -> None:
        """Read all devices once, and write the worst."""
        site.chip.address_reads("worst", site.chip.clock.now_s.hex())
        for name in site.matrices:
            target = site.targets(name)
            where = farthest(np.abs(site.read(name) - target), self.share)
            site.write(name, target, where)


def farthest(error: FloatArray, share: float) -> FloatArray:
    """Which entries are the largest `share` of `error`; as many as round(share size).

    >>> farthest(np.array([0.5, 3.0, 1.0, 2.0]), 0.5).tolist()
    [False, True, False, True]
    """
    n = round(share * error.size)
    where = np.zeros(error.size, dtype=np.bool_)
    where[np.argsort(error, axis=None)[error.size - n :]] = True
    return where.reshape(error.shape)
