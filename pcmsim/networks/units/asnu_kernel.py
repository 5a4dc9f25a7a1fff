"""The recurrence of `asnu` over time in compiled form, forward and backward.

The equation stands in `pcmsim.networks.units.asnu`.
"""

from pcmsim.networks.kernels import (
    BLOCK,
    Array,
    Cells,
    Memory,
    Rows,
    Sums,
    at,
    cells_part,
    compiled,
    memory_part,
    row,
    sums_part,
    tally,
)
from pcmsim.networks.surrogate_kernel import Settings, derivative


@compiled
def advance(rows: Rows, memory: Memory, cells: Cells) -> None:
    """One step of a row of cells: turns currents into potentials, writes outputs and traces.

    `memory` is decay s_{t-1} (1 - y_{t-1}) and b_t on entry, those of the next step on return.
    """
    current, output, trace = rows.potential, rows.output, memory.trace
    zero, one = current.dtype.type(0), current.dtype.type(1)
    for k in range(current.size):
        u, b, rho = current[k] + memory.carried[k], trace[k], at(cells.adaptation_decay, k)
        s = u if u > zero else cells.slope * u
        y = one if s > cells.threshold[k] + cells.strength * b else zero
        current[k], output[k], rows.adaptation[k] = s, y, b
        memory.carried[k] = at(cells.decay, k) * s * (one - y)
        trace[k] = rho * b + (one - rho) * y


@compiled
def retreat(
    rows: Rows,
    output_gradient: Array,
    after: Array,
    later: Memory,
    sums: Sums,
    cells: Cells,
    surrogate: Settings,
    current_gradient: Array,
) -> None:
    """Gradient of one step: from dE/dy_t and `after` = dE/du_{t+1} to `current_gradient` = dE/du_t.

    `later.trace` is dE/db_{t+1} on entry and dE/db_t on return.
    """
    potential, output, trace, pending = rows.potential, rows.output, rows.adaptation, later.trace
    zero, one = potential.dtype.type(0), potential.dtype.type(1)
    for k in range(potential.size):
        s, y, b, db = potential[k], output[k], trace[k], pending[k]
        carried, rho = at(cells.decay, k) * after[k], at(cells.adaptation_decay, k)
        dy = output_gradient[k] - carried * s + (one - rho) * db
        dz = dy * derivative(s - (cells.threshold[k] + cells.strength * b), surrogate)
        sums.threshold[k] -= dz
        tally(sums.decay, k, after[k] * s * (one - y))
        tally(sums.adaptation_decay, k, db * (b - y))
        pending[k] = rho * db - cells.strength * dz
        current_gradient[k] = (dz + carried * (one - y)) * (one if s > zero else cells.slope)


@compiled
def forward(rows: Rows, memory: Memory, cells: Cells) -> None:
    """All steps of `rows` (time, cells), in place."""
    steps, size = rows.potential.shape
    for start in range(0, size, BLOCK):
        part = slice(start, min(start + BLOCK, size))
        kept, own = memory_part(memory, part), cells_part(cells, part)
        for t in range(steps):
            advance(row(rows, t, part), kept, own)


@compiled
def backward(
    rows: Rows,
    output_gradients: Array,
    current_gradients: Array,
    later: Memory,
    sums: Sums,
    cells: Cells,
    surrogate: Settings,
) -> None:
    """Gradient of `forward`; `current_gradients` has one row more, that of the step after."""
    steps, size = rows.potential.shape
    for start in range(0, size, BLOCK):
        part = slice(start, min(start + BLOCK, size))
        kept, own, total = memory_part(later, part), cells_part(cells, part), sums_part(sums, part)
        for t in range(steps - 1, -1, -1):
            dy, now = output_gradients[t, part], current_gradients[t, part]
            after = current_gradients[t + 1, part]
            retreat(row(rows, t, part), dy, after, kept, total, own, surrogate, now)
