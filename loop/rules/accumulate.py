"""Mixed precision: changes add up in software, and whole steps of them become SET pulses.

χ ← χ + ΔG;  n = trunc(χ / ε);  χ ← χ - n ε, and n SET pulses go to G+ (n > 0) or -n to G- (n < 0).
Nandakumar et al., Front. Neurosci. 14, 406 (2020), doi:10.3389/fnins.2020.00406.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.loop.crossbar import Crossbar, FloatArray, Shape
from pcmsim.loop.rules.rule import Memory, Tally, by_sign, check_change, send


@dataclass(frozen=True)
class Accumulate:
    """Pulses of the granularity `g_step` [µS], the mean increment of a SET pulse."""

    g_step: float

    def start(self, shape: Shape) -> Memory:
        """Nothing is owed."""
        return {"owed": np.zeros(shape[2:], dtype=np.float32)}

    def step(
        self, crossbar: Crossbar, change_g: FloatArray, memory: Memory, rng: np.random.Generator
    ) -> Tally:
        """Add the change to what is owed and pay in whole pulses, to every pair of the weight."""
        del rng
        check_change(change_g, crossbar.shape)
        owed = memory["owed"]
        owed += change_g
        pulses = np.trunc(owed / self.g_step)
        owed -= (pulses * self.g_step).astype(owed.dtype)
        return send(crossbar, by_sign(pulses, crossbar.shape), memory)
