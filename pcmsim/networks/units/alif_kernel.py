"""The recurrence of `alif` over time in compiled form, forward and backward.

The equation stands in `pcmsim.networks.units.alif`. The gradient for the decay is found as in
`pcmsim.networks.units.lif_kernel`.
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

    `memory` is decay u_{t-1} - B_t y_{t-1} and b_t on entry, those of the next step on return.
    """
    current, output, trace = rows.potential, rows.output, memory.trace
    zero, one = current.dtype.type(0), current.dtype.type(1)
    for k in range(current.size):
        decay, rho, b = at(cells.decay, k), at(cells.adaptation_decay, k), trace[k]
        u = (one - decay) * current[k] + memory.carried[k]
        y = one if u > cells.threshold[k] + cells.strength * b else zero
        current[k], output[k], rows.adaptation[k] = u, y, b
        b = rho * b + (one - rho) * y
        trace[k] = b
        memory.carried[k] = decay * u - (cells.threshold[k] + cells.strength * b) * y


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
    """Gradient of one step: from dE/dy_t to `current_gradient` = dE/dI_t.

    `later` is dE/du_{t+1}, and dE/db_{t+1} but for the reset of step t + 1, on entry, and the same
    of one step before on return; `after` is not needed.
    """
    potential, output, trace = rows.potential, rows.output, rows.adaptation
    one = potential.dtype.type(1)
    for k in range(potential.size):
        u, y, b, reset = potential[k], output[k], trace[k], later.carried[k]
        decay, rho = at(cells.decay, k), at(cells.adaptation_decay, k)
        limit = cells.threshold[k] + cells.strength * b
        next_limit = cells.threshold[k] + cells.strength * (rho * b + (one - rho) * y)
        db = later.trace[k] - cells.strength * y * reset
        dy = output_gradient[k] - next_limit * reset + (one - rho) * db
        dz = dy * derivative(u - limit, surrogate)
        du = dz + decay * reset
        sums.threshold[k] -= dz + y * reset
        tally(sums.decay, k, reset * (u - next_limit * y) - du * u)
        tally(sums.adaptation_decay, k, db * (b - y))
        later.carried[k], later.trace[k] = du, rho * db - cells.strength * dz
        current_gradient[k] = (one - decay) * du


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
