"""Pair refresh: SET pulses only raise conductances, so from time to time both must come down.

A pair whose larger device has reached `g_above` while the difference is below `g_difference` has
used up its range: both devices are RESET and the difference is programmed anew on one of them.
Limits after Nandakumar et al. 2018, doi:10.1063/1.5042408.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.crossbar import RESET
from pcmsim.loop.crossbar import Crossbar
from pcmsim.loop.rules.rule import Memory, Tally, program, send


@dataclass(frozen=True)
class Refresh:
    """Limits of a pair [µS]; see the module."""

    g_above: float
    g_difference: float

    def step(self, crossbar: Crossbar, memory: Memory | None = None) -> Tally:
        """Read all devices, RESET the pairs that have saturated and program their difference.

        With the `memory` of the rule, pairs with a device that is known to be stuck are left alone:
        what its partner carries is what the stuck one shows.
        """
        known = {} if memory is None else memory
        g = crossbar.read()
        difference = g[0] - g[1]
        used_up = (g.max(axis=0) > self.g_above) & (np.abs(difference) < self.g_difference)
        if "stuck" in known:
            used_up &= ~known["stuck"].any(axis=0)
        both = np.broadcast_to(used_up, g.shape)
        target = np.stack([np.maximum(difference, 0.0), np.maximum(-difference, 0.0)])
        where = both & (target > 0.0)
        owed = known.get("owed")
        if owed is not None:  # in case the crossbar fails between RESET and programming
            owed += np.where(used_up, difference, 0.0).mean(axis=0)
        tally = send(crossbar, np.where(both, RESET, 0).astype(np.int32), known)
        if "target" in known:
            known["target"][both] = 0.0
        tally += program(crossbar, np.where(where, target, 0.0).astype(g.dtype), where, known)
        if owed is not None:
            owed -= np.where(used_up, difference, 0.0).mean(axis=0)
        return tally
