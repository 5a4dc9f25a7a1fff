"""How devices of a matrix are written: by statistics, in a closed loop, or pulse by pulse."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pcmsim import config
from pcmsim.crossbar.mapping import FloatArray
from pcmsim.crossbar.matrix import Matrix
from pcmsim.crossbar.reading import Reading
from pcmsim.devices import (
    Ambient,
    ParameterSet,
    Verify,
    apply_reset,
    apply_set,
    check_at_reference,
    program,
    write_verify,
)
from pcmsim.rng import key, stream

RESET = -1


@dataclass(frozen=True)
class Written:
    """What closed-loop programming found out, each array (2, pairs, rows, columns).

    `iterations` is the number of pulses of a device (zero where it was not chosen), `converged`
    whether its last read was within the tolerance, `seconds` the simulated time of it all [s].
    """

    iterations: FloatArray
    converged: FloatArray
    seconds: float


@dataclass(frozen=True)
class Writing:
    """Writes to the matrices of one chip; chance is addressed by `seed` and the matrix' count.

    Programming and pulses are described at the reference temperature. Where `ambient` leaves it a
    programmed device starts from the same state, a pulse finds what drift has left at the
    temperatures since, and the closed loop, which reads what is there, is refused.
    """

    parameter_set: ParameterSet
    verify: config.Verify
    reading: Reading
    seed: int
    ambient: Ambient | None = None

    def statistical(
        self, name: str, matrix: Matrix, target: FloatArray, where: FloatArray | None, now_s: float
    ) -> None:
        """Program by one draw of the published spread."""
        parts, values = list(_parts(matrix, target, where)), self.parameter_set.values

        def write(i: int) -> None:
            (part, mask), state = parts[i], matrix.states[i]
            rng = stream(self.seed, "write", name, i, state.programmings)
            matrix.states[i] = program(values, state, part, now_s, rng, mask)

        matrix.each(write)
        matrix.writes += 1

    def verified(
        self, name: str, matrix: Matrix, target: FloatArray, where: FloatArray | None, now_s: float
    ) -> Written:
        """Program in the closed loop; tiles are written one after another."""
        check_at_reference(self.parameter_set.values, self.ambient, now_s)
        settings = Verify(**self.verify.model_dump())
        found, began_s = [], now_s
        for i, (part, mask) in enumerate(_parts(matrix, target, where)):
            state = matrix.states[i]
            address = key(self.seed, "verify", name, i, state.programmings)
            # Melting wipes out the fluctuation that a device had: reads see what follows the pulse.
            slow = self.reading.slow(name, i, replace(state, programmed_at_s=now_s), now_s)
            matrix.states[i], outcome = write_verify(
                self.parameter_set.values, state, part, now_s, address, settings, mask, slow
            )
            now_s += outcome.seconds
            found.append(outcome)
        matrix.writes += 1
        return Written(
            matrix.joined([outcome.iterations for outcome in found]),
            matrix.joined([outcome.converged for outcome in found]),
            now_s - began_s,
        )

    def pulsed(self, name: str, matrix: Matrix, counts: FloatArray, now_s: float) -> None:
        """Send n SET pulses to a device, or a RESET pulse for -1."""
        values = self.parameter_set.values
        for i, part in enumerate(matrix.cut(counts)):
            rng = stream(self.seed, "pulse", name, i, matrix.writes)
            state, resets = matrix.states[i], part == RESET
            if resets.any():
                state = apply_reset(values, state, resets, now_s, rng)
            if np.any(part > 0):
                up = np.maximum(part, 0)
                state = apply_set(values, state, up, now_s, rng, self.ambient)
            matrix.states[i] = state
        matrix.writes += 1


def _parts(
    matrix: Matrix, target: FloatArray, where: FloatArray | None
) -> Iterator[tuple[FloatArray, FloatArray | None]]:
    """Targets of each tile, and which of its devices are chosen (None: all)."""
    masks = [None] * len(matrix.tiles) if where is None else matrix.cut(where)
    return zip(matrix.cut(target), masks, strict=True)
