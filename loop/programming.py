"""Writing a matrix, looking at what came out, and writing again what is off."""

import numpy as np

from pcmsim.loop.crossbar import FloatArray
from pcmsim.loop.rules import Memory, Reprogram, Tally
from pcmsim.loop.weights import WeightArray, pair_mean


def correct(
    array: WeightArray, weight: FloatArray, rule: Reprogram, memory: Memory, reads: int = 1
) -> Tally:
    """Read all devices and program the pairs again that miss `weight` by `rule.g_threshold`.

    `reads` reads are averaged. Each round draws new programming errors for what was off and leaves
    what was right, so that rounds sharpen the distribution; a pair with a stuck device is written
    through its partner.
    """
    g = np.mean([array.crossbar.read() for _ in range(reads)], axis=0)
    target = array.targets(weight)
    wanted = pair_mean(target)
    due = np.abs(wanted - pair_mean(g)) >= rule.g_threshold
    if not due.any():
        return Tally()
    chosen = g[np.broadcast_to(due, g.shape)].reshape(*g.shape[:2], -1)
    return rule.write(array.crossbar, due, wanted[due], chosen, memory)
