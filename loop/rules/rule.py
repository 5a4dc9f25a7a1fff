"""What an update rule is: wanted changes of weights in, operations on devices out."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pcmsim.crossbar import RESET
from pcmsim.errors import UsageError
from pcmsim.loop.crossbar import Crossbar, FloatArray, Shape

# Arrays that a rule carries from step to step; they go into checkpoints by name.
Memory = dict[str, NDArray[Any]]
# In the memory, under "target": nobody knows where this device was last programmed to.
UNKNOWN = -1.0


@dataclass(frozen=True)
class Tally:
    """Operations that a rule asked for: devices programmed, SET pulses and RESET pulses."""

    programmed: int = 0
    set_pulses: int = 0
    resets: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.programmed + other.programmed,
            self.set_pulses + other.set_pulses,
            self.resets + other.resets,
        )


class UpdateRule(Protocol):
    """Brings wanted changes onto devices; what is not sent yet it keeps in its memory.

    Whatever a rule sends it has taken out of its memory before, so that a crossbar which fails
    in the middle is never asked for the same pulse again. A change that is refused, because it is
    not finite or of another shape, has not entered the memory.
    """

    def start(self, shape: Shape) -> Memory:
        """Memory of a rule that has done nothing yet, for an array (2, pairs, rows, columns)."""
        ...

    def step(
        self, crossbar: Crossbar, change_g: FloatArray, memory: Memory, rng: np.random.Generator
    ) -> Tally:
        """Take in the wanted change of mean_p (G+ - G-) [µS], (rows, columns), and act."""
        ...


def check_change(change_g: FloatArray, shape: Shape) -> None:
    """Refuse a change that cannot be wanted, before it enters a memory that would never lose it."""
    if np.shape(change_g) != tuple(shape[2:]):
        raise UsageError(f"change_g must have shape {tuple(shape[2:])}; got {np.shape(change_g)}")
    if not np.isfinite(change_g).all():
        raise UsageError("change_g holds NaN or infinite values; lower the learning rate")


def send(crossbar: Crossbar, counts: NDArray[Any], memory: Memory) -> Tally:
    """Send `counts` pulses (see `Crossbar.pulse`), if there are any, and count them.

    Where devices were programmed to is true no longer, if the memory knows.
    """
    if counts.any():
        if "target" in memory:
            memory["target"][counts != 0] = UNKNOWN
        crossbar.pulse(np.ascontiguousarray(counts))
    return Tally(
        set_pulses=int(np.maximum(counts, 0).sum()), resets=int(np.count_nonzero(counts == RESET))
    )


def by_sign(steps: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """SET pulses for each pair: of G+ where `steps` (rows, columns) is positive, else of G-.

    >>> by_sign(np.array([[2, -1]]), (2, 1, 1, 2)).tolist()
    [[[[2, 0]]], [[[0, 1]]]]
    """
    both = np.stack([np.maximum(steps, 0), np.maximum(-steps, 0)]).astype(np.int32)
    return np.asarray(np.broadcast_to(both[:, None], shape))


def program(
    crossbar: Crossbar, g_target: FloatArray, where: NDArray[np.bool_], memory: Memory
) -> Tally:
    """Program the devices `where`, if there are any, to `g_target` [µS], and count them.

    The memory, if it keeps targets, knows them once the crossbar has come back.
    """
    if not where.any():
        return Tally()
    known = "target" in memory
    if known:
        memory["target"][where] = UNKNOWN
    crossbar.program(g_target, where)
    if known:
        memory["target"][where] = g_target[where]
    return Tally(programmed=int(np.count_nonzero(where)))
