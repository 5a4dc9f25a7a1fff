"""Several pairs per weight that take turns: finer steps, and less wear of each device.

Of N pairs one is pulsed at a time, in turn for each weight, so a pulse changes the weight by a
Nth of a device's increment. Boybat et al., Nat. Commun. 9, 2514 (2018),
doi:10.1038/s41467-018-04933-y. G+ and G- have turns of their own: with one for both, a change that
alternates in step with it would always meet the same devices.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.loop.crossbar import Crossbar, FloatArray, Shape
from pcmsim.loop.rules.rule import Memory, Tally, check_change, send


@dataclass(frozen=True)
class RoundRobin:
    """As mixed precision, with pulses of granularity `g_step` / pairs that go around the pairs."""

    g_step: float

    def start(self, shape: Shape) -> Memory:
        """Nothing is owed, and the first pair is next."""
        return {
            "owed": np.zeros(shape[2:], dtype=np.float32),
            "turn": np.zeros((2, *shape[2:]), dtype=np.int32),
        }

    def step(
        self, crossbar: Crossbar, change_g: FloatArray, memory: Memory, rng: np.random.Generator
    ) -> Tally:
        """Pay what is owed in whole pulses, dealt out to the pairs in turn."""
        del rng
        check_change(change_g, crossbar.shape)
        pairs = crossbar.shape[1]
        owed, turn = memory["owed"], memory["turn"]
        owed += change_g
        step = self.g_step / pairs
        pulses = np.trunc(owed / step)
        owed -= (pulses * step).astype(owed.dtype)
        number = np.stack([np.maximum(pulses, 0), np.maximum(-pulses, 0)]).astype(np.int32)
        # Pair p is next in (p - turn) mod N pulses, and then in every Nth.
        ahead = [(p - turn) % pairs for p in range(pairs)]
        counts = np.stack([(number - n + pairs - 1) // pairs for n in ahead], axis=1)
        turn[...] = (turn + number) % pairs
        return send(crossbar, counts, memory)
