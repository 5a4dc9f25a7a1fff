"""How reads see the devices of a tile: what persists between reads, and what is new in each."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from pcmsim.crossbar.mapping import FloatArray
from pcmsim.crossbar.pair_kernel import shown_pairs
from pcmsim.devices import (
    Ambient,
    ArrayState,
    Follower,
    Modes,
    Recent,
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


@dataclass
class Reading:
    """Noise of the reads of one chip: the form `noise`, addressed by the chip's `seed`.

    With `often`, what is known of the slow noise at one time is kept for the next: reads a moment
    apart then cost what has changed between them. With `recent`, what was worked out for a chip
    is there for others that show the same devices. The numbers are the same. `ambient` is the
    temperature that conductances see; noise keeps its relative amplitude, and its clock runs on in
    real time, whatever the temperature.
    """

    values: Values
    noise: ReadNoise
    seed: int
    often: bool = False
    ambient: Ambient | None = None
    recent: Recent | None = None
    _addresses: dict[tuple[str, int], int] = field(default_factory=dict, repr=False)
    _followers: dict[tuple[str, int], Follower] = field(default_factory=dict, repr=False)

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """For a while the chip is looked at often; what was kept for that is forgotten after it."""
        before, self.often = self.often, True
        try:
            yield
        finally:
            self.often = before
            if not before:
                self._followers.clear()

    @cached_property
    def _band(self) -> Modes:
        return slow_modes(self.values)

    @cached_property
    def _fast(self) -> float:
        return fast_std(self.values)

    def conductance(self, state: ArrayState, now_s: float) -> FloatArray:
        """Conductances [µS] at the clock time `now_s` [s] and its temperature, without noise."""
        return conductance(self.values, state, now_s, ambient=self.ambient)

    def persistent(
        self,
        name: str,
        tile: int,
        state: ArrayState,
        now_s: float,
        numbers: FloatArray | None = None,
    ) -> FloatArray:
        """Conductances [µS] that all reads at the clock time `now_s` [s] share.

        Drift, with the slow fluctuations ("correlated") or one draw of all noise ("marginal").
        With `numbers`, `state` is that of these devices of the tile alone.
        """
        g = self.conductance(state, now_s)
        if self.noise == "none":
            return g
        if self.noise == "marginal":
            # Addressed by the time, so that looking twice, or restoring the chip, shows the same.
            rng = stream(self.seed, "marginal", name, tile, state.programmings, now_s.hex())
            age = age_s(self.values, now_s - state.programmed_at_s)
            return marginal_read(self.values, g, state.noise, age, rng)
        n = self._fluctuation(name, tile, state, now_s, numbers)
        return np.asarray(np.maximum(g * (1 + state.noise * n), 0), dtype=g.dtype)

    def slow(self, name: str, tile: int, state: ArrayState, now_s: float) -> FloatArray | None:
        """Relative slow fluctuation of each device, in units of its Q; None if there is none."""
        return None if self.noise != "correlated" else self._fluctuation(name, tile, state, now_s)

    def _fluctuation(
        self,
        name: str,
        tile: int,
        state: ArrayState,
        now_s: float,
        numbers: FloatArray | None = None,
    ) -> FloatArray:
        pulse = pulse_s(self.values, state.programmed_at_s)
        address = self._addresses.get((name, tile))
        if address is None:
            address = self._addresses[name, tile] = key(self.seed, "noise", name, tile)
        if not self.often or numbers is not None:
            look = self.recent or fluctuation
            return look(self._band, state.shape, address, now_s, pulse, numbers)
        follower = self._followers.get((name, tile))
        if follower is None:
            follower = Follower(self._band, state.shape, address)
            self._followers[name, tile] = follower
        return follower.at(now_s, pulse)

    def pairs(
        self, name: str, state: ArrayState, now_s: float, scale: FloatArray
    ) -> tuple[FloatArray, FloatArray | None, FloatArray, FloatArray | None]:
        """Weights, their variance, conductances and their standard deviation, of single pairs.

        The same as step by step from `persistent` and `fresh_std`, in one pass.
        """
        if self.noise != "correlated":
            g = self.persistent(name, 0, state, now_s)
            return (g[0, 0] - g[1, 0]) * scale, None, g, None
        g = self.conductance(state, now_s)
        n = self._fluctuation(name, 0, state, now_s)
        std, weight = np.empty_like(g), np.empty(g.shape[2:], g.dtype)
        variance, fast = np.empty_like(weight), g.dtype.type(self._fast)
        arrays = (g[:, 0], state.noise[:, 0], n[:, 0], fast, scale, std[:, 0], weight, variance)
        shown_pairs(*arrays)
        return weight, variance, g, std

    def fresh_std(self, state: ArrayState, g: FloatArray) -> FloatArray | None:
        """Standard deviation [µS] of what is new in each read of `g` [µS]; None if nothing is."""
        if self.noise != "correlated":
            return None
        std: Any = g * state.noise * g.dtype.type(self._fast)
        return np.asarray(std)
