"""The recurrence of `li_snu` over time in compiled form, forward and backward.

Blocks are whole samples, whose units see each other. The equation stands in
`pcmsim.networks.units.li_snu`.
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
    """One step of a row of samples: turns currents into potentials and writes outputs.

    `memory.carried` is decay s_{t-1} (1 - max y_{t-1}) on entry, that of this step on return.
    """
    current, output, threshold = rows.potential, rows.output, cells.threshold
    carried, slope = memory.carried, cells.slope
    zero, one = current.dtype.type(0), current.dtype.type(1)
    for start in range(0, current.size, cells.units):
        part = slice(start, start + cells.units)
        row, spiked, kept = current[part], output[part], carried[part]
        limit, decay = threshold[part], at(cells.decay, part)
        for k in range(row.size):
            u = row[k] + kept[k]
            s = u if u > zero else slope * u
            row[k], spiked[k] = s, one if s > limit[k] else zero
        fired = False
        for k in range(row.size):
            fired |= spiked[k] > zero
        held = zero if fired else one
        for k in range(row.size):
            kept[k] = at(decay, k) * row[k] * held


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

    The reset of the next step is shared out evenly among the units whose output is the largest.
    """
    potential, output, slope = rows.potential, rows.output, cells.slope
    zero, one = potential.dtype.type(0), potential.dtype.type(1)
    for start in range(0, potential.size, cells.units):
        spikes, reset = zero, zero
        for k in range(start, start + cells.units):
            spikes += output[k]
            reset += at(cells.decay, k) * after[k] * potential[k]
        silent = spikes == zero
        share = reset / (potential.dtype.type(cells.units) if silent else spikes)
        kept, shared = (one, one) if silent else (zero, zero)
        # Slices that begin at zero, so that the compiler can use vector instructions.
        part = slice(start, start + cells.units)
        spiked, row, dy, next_du = output[part], potential[part], output_gradient[part], after[part]
        threshold, decay = cells.threshold[part], at(cells.decay, part)
        dthreshold, ddecay, du = sums.threshold[part], at(sums.decay, part), current_gradient[part]
        for k in range(row.size):
            s = row[k]
            d = dy[k] - share * (spiked[k] + shared)
            dz = d * derivative(s - threshold[k], surrogate)
            dthreshold[k] -= dz
            tally(ddecay, k, next_du[k] * s * kept)
            du[k] = (dz + at(decay, k) * next_du[k] * kept) * (one if s > zero else slope)


@compiled
def forward(rows: Rows, memory: Memory, cells: Cells) -> None:
    """All steps of `rows` (time, cells), in place."""
    steps, size = rows.potential.shape
    block = cells.units * max(1, BLOCK // cells.units)
    for start in range(0, size, block):
        part = slice(start, min(start + block, size))
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
    block = cells.units * max(1, BLOCK // cells.units)
    for start in range(0, size, block):
        part = slice(start, min(start + block, size))
        kept, own, total = memory_part(later, part), cells_part(cells, part), sums_part(sums, part)
        for t in range(steps - 1, -1, -1):
            dy, now = output_gradients[t, part], current_gradients[t, part]
            after = current_gradients[t + 1, part]
            retreat(row(rows, t, part), dy, after, kept, total, own, surrogate, now)
