"""Devices are left alone: thresholds, biases and gains learn, the arrays only measure."""

from dataclasses import dataclass

import numpy as np

from pcmsim.loop.crossbar import Crossbar, FloatArray, Shape
from pcmsim.loop.rules.rule import Memory, Tally


@dataclass(frozen=True)
class Digital:
    """Does nothing to devices, whatever the weights want."""

    def start(self, shape: Shape) -> Memory:
        """Nothing is remembered."""
        del shape
        return {}

    def step(
        self, crossbar: Crossbar, change_g: FloatArray, memory: Memory, rng: np.random.Generator
    ) -> Tally:
        """Leave the devices alone."""
        del crossbar, change_g, memory, rng
        return Tally()
