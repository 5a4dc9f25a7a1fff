"""The recurrence of `lif` over time in compiled form, forward and backward.

The equation stands in `pcmsim.networks.units.lif`. The gradient for the decay sums
dE/du_t (u_{t-1} - I_t); with (1 - decay) (u_{t-1} - I_t) = u_{t-1} - u_t - threshold y_{t-1} the
currents need not be kept, and `fused` divides by 1 - decay in the end.
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
    """One step of a row of cells: turns currents into potentials and writes outputs.

    `memory.carried` is decay u_{t-1} - threshold y_{t-1} on entry, that of this step on return.
    """
    current, output, carried = rows.potential, rows.output, memory.carried
    zero, one = current.dtype.type(0), current.dtype.type(1)
    for k in range(current.size):
        decay, limit = at(cells.decay, k), cells.threshold[k]
        u = (one - decay) * current[k] + carried[k]
        y = one if u > limit else zero
        current[k], output[k], carried[k] = u, y, decay * u - limit * y


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

    `later.carried` is dE/du_{t+1} on entry and dE/du_t on return; `after` is not needed.
    """
    potential, output, carried = rows.potential, rows.output, later.carried
    one = potential.dtype.type(1)
    for k in range(potential.size):
        u, y, reset = potential[k], output[k], carried[k]
        decay, limit = at(cells.decay, k), cells.threshold[k]
        dz = (output_gradient[k] - limit * reset) * derivative(u - limit, surrogate)
        du = dz + decay * reset
        sums.threshold[k] -= dz + y * reset
        tally(sums.decay, k, reset * (u - limit * y) - du * u)
        carried[k] = du
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
