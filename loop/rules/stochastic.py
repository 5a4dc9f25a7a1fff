"""Stochastic single pulses: no memory, a pulse with a probability in proportion to the change.

P(one SET pulse) = min(|ΔG| / g_scale, 1), on G+ or G- by the sign. The expected change is right
where g_scale is the mean increment of a pulse. After the unbiased form of Nandakumar et al. 2018,
doi:10.1063/1.5042408, and Gokmen and Vlasov, doi:10.3389/fnins.2016.00333.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.loop.crossbar import Crossbar, FloatArray, Shape
from pcmsim.loop.rules.rule import Memory, Tally, by_sign, check_change, send


@dataclass(frozen=True)
class Stochastic:
    """At most one pulse a step, certain for a change of `g_scale` [µS]."""

    g_scale: float

    def start(self, shape: Shape) -> Memory:
        """Nothing is remembered."""
        del shape
        return {}

    def step(
        self, crossbar: Crossbar, change_g: FloatArray, memory: Memory, rng: np.random.Generator
    ) -> Tally:
        """Draw which weights get their pulse."""
        check_change(change_g, crossbar.shape)
        chosen = rng.random(change_g.shape, dtype=np.float32) < np.abs(change_g) / self.g_scale
        return send(crossbar, by_sign(np.sign(change_g) * chosen, crossbar.shape), memory)
