"""How reads see the devices of a tile: what persists between reads, and what is new in each."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from pcmsim.crossbar.mapping import FloatArray
from pcmsim.devices import (
    ArrayState,
    Modes,
    Values,
    age_s,
    conductance,
    fast_std,
    fluctuation,
    marginal_read,
    pulse_s,
    slow_modes,
)
from pcmsim.rng import key, stream

ReadNoise = Literal["correlated", "marginal", "none"]


@dataclass(frozen=True)
class Reading:
    """Noise of the reads of one chip: the form `noise`, addressed by the chip's `seed`."""

    values: Values
    noise: ReadNoise
    seed: int

    @cached_property
    def _band(self) -> Modes:
        return slow_modes(self.values)

    @cached_property
    def _fast(self) -> float:
        return fast_std(self.values)

    def persistent(self, name: str, tile: int, state: ArrayState, now_s: float) -> FloatArray:
        """Conductances [µS] that all reads at the clock time `now_s` [s] share.

        Drift, with the slow fluctuations ("correlated") or one draw of all noise ("marginal").
        """
        g = conductance(self.values, state, now_s)
        if self.noise == "none":
            return g
        if self.noise == "marginal":
            # Addressed by the time, so that looking twice, or restoring the chip, shows the same.
            rng = stream(self.seed, "marginal", name, tile, state.programmings, now_s.hex())
            age = age_s(self.values, now_s - state.programmed_at_s)
            return marginal_read(self.values, g, state.noise, age, rng)
        pulse = pulse_s(self.values, state.programmed_at_s)
        n = fluctuation(self._band, g.shape, key(self.seed, "noise", name, tile), now_s, pulse)
        return np.asarray(np.maximum(g * (1 + state.noise * n), 0), dtype=g.dtype)

    def fresh_std(self, state: ArrayState, g: FloatArray) -> FloatArray | None:
        """Standard deviation [µS] of what is new in each read of `g` [µS]; None if nothing is."""
        if self.noise != "correlated":
            return None
        std: Any = g * state.noise * g.dtype.type(self._fast)
        return np.asarray(std)
