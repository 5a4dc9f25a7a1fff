"""The recurrence of `snu` and `ssnu` over time in compiled form, forward and backward.

One step is `advance` (in time) or `retreat` (its gradient); `forward` and `backward` run them over
time, block by block. The equation stands in `pcmsim.networks.units.snu`.
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
    exponential,
    memory_part,
    row,
    sums_part,
    tally,
)
from pcmsim.networks.surrogate_kernel import Settings, derivative


@compiled
def advance(rows: Rows, memory: Memory, cells: Cells) -> None:
    """One step of a row of cells: turns currents into potentials and writes outputs.

    `memory.carried` is decay s_{t-1} (1 - y_{t-1}) on entry and the same of this step on return.
    """
    current, output, threshold = rows.potential, rows.output, cells.threshold
    carried, slope = memory.carried, cells.slope
    zero, one = current.dtype.type(0), current.dtype.type(1)
    if cells.soft:
        for k in range(current.size):
            u = current[k] + carried[k]
            s = u if u > zero else slope * u
            z = s - threshold[k]
            e = exponential(-abs(z))
            y = (one if z > zero else e) / (one + e)
            current[k], output[k], carried[k] = s, y, at(cells.decay, k) * s * (one - y)
    else:
        for k in range(current.size):
            u = current[k] + carried[k]
            s = u if u > zero else slope * u
            y = one if s > threshold[k] else zero
            current[k], output[k], carried[k] = s, y, at(cells.decay, k) * s * (one - y)


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

    `output_gradient` is dE/dy_t by all paths but the reset of the next step, which is added here.
    """
    potential, output, slope = rows.potential, rows.output, cells.slope
    threshold, dthreshold = cells.threshold, sums.threshold
    zero, one = potential.dtype.type(0), potential.dtype.type(1)
    if cells.soft:
        for k in range(potential.size):
            s, y, carried = potential[k], output[k], at(cells.decay, k) * after[k]
            dz = (output_gradient[k] - carried * s) * (y * (one - y))
            dthreshold[k] -= dz
            tally(sums.decay, k, after[k] * s * (one - y))
            current_gradient[k] = (dz + carried * (one - y)) * (one if s > zero else slope)
    else:
        for k in range(potential.size):
            s, y, carried = potential[k], output[k], at(cells.decay, k) * after[k]
            dz = (output_gradient[k] - carried * s) * derivative(s - threshold[k], surrogate)
            dthreshold[k] -= dz
            tally(sums.decay, k, after[k] * s * (one - y))
            current_gradient[k] = (dz + carried * (one - y)) * (one if s > zero else slope)


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
