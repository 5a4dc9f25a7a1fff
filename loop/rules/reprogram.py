"""Reprogramming of the devices whose accumulated change has become large.

w ← clip(w + ΔG, ±g_max), the difference that a pair is wanted to show. Where it has moved by the
threshold since the pair was last written, the pair is programmed to it: to the wanted difference
and not to what a read shows plus a change, for errors of reads and of programming would add up from
write to write. One device of the pair carries the weight, the other is left in RESET. A device that
is found far from what it was told is remembered as stuck, and its partner carries the difference
from then on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pcmsim.loop.crossbar import Crossbar, FloatArray, Shape
from pcmsim.loop.rules.rule import UNKNOWN, Memory, Tally, check_change, program


@dataclass(frozen=True)
class Reprogram:
    """Reprogram weights that are off by `g_threshold` [µS] or more; see the module.

    A device is taken for stuck if it reads more than `g_stuck` [µS] above the target it was last
    given, or as much below half of it, which is more than drift takes; also if it was told
    `g_stuck` or more and is in RESET (`g_idle` or less), or was told RESET, which is abrupt and
    sure, and reads more than half of `g_stuck`. A device that should be in RESET is programmed only
    if it shows more than `g_idle` [µS] and has not been told so already.
    """

    g_threshold: float
    g_max: float
    g_stuck: float
    g_idle: float = 1.0

    def start(self, shape: Shape) -> Memory:
        """No device is known to be stuck, and nothing is known of what is wanted or was told."""
        return {
            "wanted": np.full(shape[2:], np.nan, dtype=np.float32),
            "written": np.full(shape[2:], np.nan, dtype=np.float32),
            "stuck": np.zeros(shape, dtype=np.bool_),
            "target": np.full(shape, UNKNOWN, dtype=np.float32),
        }

    def step(
        self, crossbar: Crossbar, change_g: FloatArray, memory: Memory, rng: np.random.Generator
    ) -> Tally:
        """Reprogram what is due. The first step reads what there is, unless that is known."""
        del rng
        check_change(change_g, crossbar.shape)
        wanted, written = memory["wanted"], memory["written"]
        if np.isnan(wanted).any():
            g = crossbar.read()
            wanted[:] = written[:] = (g[0] - g[1]).mean(axis=0)
        np.clip(wanted + change_g, -self.g_max, self.g_max, out=wanted)
        # Not a number where a write has failed: it is made up for.
        due = ~(np.abs(wanted - written) < self.g_threshold)
        if not due.any():
            return Tally()
        g = crossbar.read(_both(due, crossbar.shape)).reshape(*crossbar.shape[:2], -1)
        return self.write(crossbar, due, wanted[due], g, memory)

    def write(
        self,
        crossbar: Crossbar,
        due: NDArray[np.bool_],
        wanted: FloatArray,
        g: FloatArray,
        memory: Memory,
    ) -> Tally:
        """Program the n pairs chosen by `due` (rows, columns) so that they show `wanted` (n,) [µS].

        `g` (2, pairs, n) is what a read of them showed [µS].
        """
        memory["written"][due] = np.nan
        chosen = _both(due, crossbar.shape)
        told = memory["target"][chosen].reshape(g.shape)
        stuck = memory["stuck"][chosen].reshape(g.shape) | self._missed(g, told)
        memory["stuck"][chosen] = stuck.ravel()
        settled = stuck | (g <= self.g_idle) | (told == 0.0)
        target, touched = pair_program(wanted, g, stuck, settled, self.g_max)
        where = np.zeros(crossbar.shape, dtype=np.bool_)
        where[chosen] = touched.ravel()
        g_target = np.zeros(crossbar.shape, dtype=np.float32)
        g_target[chosen] = target.ravel()
        tally = program(crossbar, g_target, where, memory)
        memory["written"][due] = wanted
        return tally

    def _missed(self, g: FloatArray, told: FloatArray) -> NDArray[np.bool_]:
        """Which devices show what they would not if they had taken the target they were told."""
        above = g > told + np.where(told == 0.0, self.g_stuck / 2, self.g_stuck)
        below = g < told / 2 - self.g_stuck
        in_reset = (told >= self.g_stuck) & (g <= self.g_idle)
        return np.asarray((told != UNKNOWN) & (above | below | in_reset))


def _both(due: NDArray[np.bool_], shape: Shape) -> NDArray[np.bool_]:
    """All devices of the weights `due` (rows, columns)."""
    return np.ascontiguousarray(np.broadcast_to(due, shape))


def pair_program(
    wanted: FloatArray,
    g: FloatArray,
    stuck: NDArray[np.bool_],
    settled: NDArray[np.bool_],
    g_max: float,
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Targets [µS] and which devices to program, for pairs that should show `wanted` [µS].

    Shapes: `wanted` (n,), `g` (what a read showed), `stuck` and `settled`, which is as much in
    RESET as it can be, (2, pairs, n). The device of the sign of `wanted` is programmed to |wanted|
    plus what its idle partner shows. If it is stuck, the partner is programmed to the difference
    instead, as far as that can be.

    >>> g = np.array([27.0, 0.1]).reshape(2, 1, 1)  # G+ is stuck in SET, and 5 µS are wanted
    >>> target, touched = pair_program(np.array([5.0]), g, g > 20.0, g < 1.0, 25.0)
    >>> target.ravel().tolist(), touched.ravel().tolist()
    ([0.0, 22.0], [False, True])
    """
    plus = np.broadcast_to(wanted >= 0.0, g.shape[1:])
    sides = []
    for side, leads in ((0, plus), (1, ~plus)):
        other, sign = g[1 - side], 1.0 if side == 0 else -1.0
        lead = sign * wanted + np.where(stuck[1 - side] | settled[1 - side], other, 0.0)
        rescue = sign * wanted + other
        target = np.where(leads, lead, np.where(stuck[1 - side], rescue, 0.0))
        target = np.clip(target, 0.0, g_max)
        touched = ~stuck[side] & (leads | stuck[1 - side] | ~settled[side])
        sides.append((np.where(touched, target, 0.0), touched))
    target = np.stack([side[0] for side in sides])
    return target, np.stack([side[1] for side in sides])
