"""From tensors to compiled kernels: a layer's whole sequence and its gradient.

Time is taken in segments whose rows (time times batch) stay in the cache: the matrix product of
a segment is followed at once by its recurrence, and a gradient with respect to the currents never
exists for more than a segment. Recurrent connections add one matrix product per step.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pcmsim.networks import events
from pcmsim.networks.kernels import Array, Cells, Memory, Rows, Sums
from pcmsim.networks.surrogate_kernel import Settings, settings_of
from pcmsim.networks.unit import FIXED, Decays, Unit
from pcmsim.networks.units.table import KERNELS

Feedback = Callable[[Tensor], Tensor]

ROWS = 1024  # of a segment: with 150 units in single precision, 0.6 MB of each array


class Course(NamedTuple):
    """Potentials, outputs and traces of a layer (time, batch, units); None if nothing adapts."""

    potentials: Tensor
    outputs: Tensor
    traces: Tensor | None

    @classmethod
    def over(cls, currents: Tensor, unit: Unit) -> "Course":
        """Room for what becomes of `currents`, which become the potentials."""
        traces = torch.empty_like(currents) if unit.adapts else None
        return cls(currents, torch.empty_like(currents), traces)

    def part(self, steps: slice) -> "Course":
        """Some of the steps, not copied."""
        traces = None if self.traces is None else self.traces[steps]
        return Course(self.potentials[steps], self.outputs[steps], traces)

    def rows(self) -> Rows:
        """All steps, each as one row of cells."""
        return Rows(_flat(self.potentials, 1), _flat(self.outputs, 1), _flat(self.traces, 1))


class Given(NamedTuple):
    """What a layer computes with beside its inputs."""

    weight: Tensor
    recurrent: Tensor | None
    threshold: Tensor
    decays: Decays


class Gradients(NamedTuple):
    """Gradients of a layer with respect to its inputs and parameters; None where not asked for."""

    x: Tensor | None
    weight: Tensor | None
    recurrent: Tensor | None
    threshold: Tensor | None
    membrane: Tensor | None
    adaptation: Tensor | None


def supports(tensor: Tensor) -> bool:
    """Return whether the kernels can work on `tensor`: in memory, single or double precision."""
    return tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64)


def layer(x: Tensor, given: Given, unit: Unit) -> Course:
    """Return what becomes of a layer at rest that receives `x` (time, batch, inputs)."""
    steps, batch, _ = x.shape
    x = x.contiguous()
    sparse = events.is_sparse(x)
    course = Course.over(x.new_empty(steps, batch, len(given.threshold)), unit)
    cells = _cells(given.threshold, given.decays, batch, unit)
    memory = _memory(cells, unit)
    recurrent = given.recurrent
    feedback = None if recurrent is None else lambda y: y @ recurrent
    previous = x.new_zeros(batch, len(given.threshold))
    for part in _segments(steps, batch):
        piece = course.part(part)
        rows = piece.potentials.flatten(0, 1)
        events.write_product(x[part].flatten(0, 1), given.weight, None, rows, sparse)
        _advance(piece, memory, cells, unit, feedback, previous)
        previous = piece.outputs[-1]
    return course


def recurrence(
    currents: Tensor,
    feedback: Feedback | None,
    threshold: Tensor,
    unit: Unit,
    decays: Decays = FIXED,
) -> Course:
    """Return what becomes of a layer at rest with contiguous `currents` (time, batch, units)."""
    course = Course.over(currents, unit)
    cells = _cells(threshold, decays, currents.shape[1], unit)
    previous = currents.new_zeros(currents.shape[1:])
    _advance(course, _memory(cells, unit), cells, unit, feedback, previous)
    return course


def layer_gradients(
    x: Tensor, given: Given, course: Course, unit: Unit, dy: Tensor, wanted: tuple[bool, ...]
) -> Gradients:
    """Return the gradients of `layer` for `dy` = dE/dy (time, batch, units)."""
    steps, batch, units = course.potentials.shape
    x = x.contiguous()
    sparse = events.is_sparse(x)
    recurrent = given.recurrent
    dx = torch.empty_like(x) if wanted[0] else None
    dweight = torch.zeros_like(given.weight) if wanted[1] else None
    drecurrent = torch.zeros_like(recurrent) if recurrent is not None and wanted[2] else None
    back = _Back.of(given.threshold, given.decays, batch, unit)
    du = x.new_zeros(_length(steps, batch) + 1, batch, units)
    for part in reversed(list(_segments(steps, batch))):
        count = part.stop - part.start
        du[count] = du[0]
        rows = du[:count].flatten(0, 1)
        _retreat(course.part(part), dy[part], du[: count + 1], back, recurrent, unit)
        if dweight is not None:
            events.add_outer(x[part].flatten(0, 1), rows, dweight, sparse)
        if dx is not None:
            torch.mm(rows, given.weight.T, out=dx[part].flatten(0, 1))
        if drecurrent is not None:
            first = max(part.start, 1)
            before = course.outputs[first - 1 : part.stop - 1].flatten(0, 1)
            drecurrent.addmm_(before.T, du[first - part.start : count].flatten(0, 1))
    return Gradients(dx, dweight, drecurrent, *back.totals(units, unit))


def recurrence_gradients(
    threshold: Tensor, decays: Decays, course: Course, unit: Unit, dy: Tensor
) -> tuple[Tensor | None, ...]:
    """Return the gradients of `recurrence` without feedback for `dy` = dE/dy.

    They are those for the currents, the threshold and the two decays.
    """
    steps, batch, units = course.potentials.shape
    back = _Back.of(threshold, decays, batch, unit)
    du = dy.new_zeros(steps + 1, batch, units)
    _retreat(course, dy, du, back, None, unit)
    return du[:-1], *back.totals(units, unit)


class _Back(NamedTuple):
    """What the way back needs of a row: its cells, what is carried, and the sums of gradients."""

    cells: Cells
    later: Memory
    sums: Sums
    surrogate: Settings

    @classmethod
    def of(cls, threshold: Tensor, decays: Decays, batch: int, unit: Unit) -> "_Back":
        cells = _cells(threshold, decays, batch, unit)
        surrogate = settings_of(unit.surrogate, cells.threshold.dtype.type)
        trained = [None if d is None else np.zeros_like(cells.threshold) for d in decays]
        sums = Sums(np.zeros_like(cells.threshold), trained[0], trained[1])
        return cls(cells, _memory(cells, unit), sums, surrogate)

    def totals(self, units: int, unit: Unit) -> tuple[Tensor | None, ...]:
        """Gradients for the threshold and the two decays, summed over the batch."""
        decay = self.sums.decay
        if decay is not None and unit.kind in ("lif", "alif"):
            gap = 1 - self.cells.decay
            # A decay that rounds to one has a logit without gradient.
            decay = np.divide(decay, gap, out=np.zeros_like(decay), where=gap > 0)
        sums = (self.sums.threshold, decay, self.sums.adaptation_decay)
        return tuple(
            None if a is None else torch.from_numpy(a).view(-1, units).sum(0) for a in sums
        )


def _advance(
    course: Course,
    memory: Memory,
    cells: Cells,
    unit: Unit,
    feedback: Feedback | None,
    previous: Tensor,
) -> None:
    kernels, rows = KERNELS[unit.kind], course.rows()
    if feedback is None:
        kernels.forward(rows, memory, cells)
        return
    outputs = course.outputs.unbind(0)
    for t, current in enumerate(course.potentials.unbind(0)):
        current += feedback(previous)
        kernels.forward(_step_of(rows, t), memory, cells)
        previous = outputs[t]


def _retreat(
    course: Course, dy: Tensor, du: Tensor, back: _Back, recurrent: Tensor | None, unit: Unit
) -> None:
    """Fill `du`, whose last row holds the step after the segment, and add to the sums."""
    cells, later, sums, surrogate = back
    kernels, rows, now = KERNELS[unit.kind], course.rows(), _flat(du, 1)
    if recurrent is None:
        kernels.backward(rows, _flat(dy, 1), now, later, sums, cells, surrogate)
        return
    total, direct, after = torch.empty_like(du[:1]), dy.unbind(0), du.unbind(0)
    d, transposed = _flat(total, 1), recurrent.detach().T
    for t in range(len(now) - 2, -1, -1):
        torch.addmm(direct[t], after[t + 1], transposed, out=total[0])
        kernels.backward(_step_of(rows, t), d, now[t : t + 2], later, sums, cells, surrogate)


def _step_of(rows: Rows, t: int) -> Rows:
    """One step as a sequence of its own.

    Called alone, the gradient of one step of lif and alif is not compiled to vector instructions,
    and a row of a large batch is longer than the cache.
    """
    part = slice(t, t + 1)
    adaptation = None if rows.adaptation is None else rows.adaptation[part]
    return Rows(rows.potential[part], rows.output[part], adaptation)


def _flat(tensor: Tensor | None, kept: int) -> Any:
    """Return the memory of `tensor` with all axes but the first `kept` as one."""
    return None if tensor is None else tensor.detach().contiguous().flatten(kept).numpy()


def _length(steps: int, batch: int) -> int:
    return max(1, min(steps, ROWS // max(batch, 1)))


def _segments(steps: int, batch: int) -> Iterator[slice]:
    length = _length(steps, batch)
    for start in range(0, steps, length):
        yield slice(start, min(start + length, steps))


def _cells(threshold: Tensor, decays: Decays, batch: int, unit: Unit) -> Cells:
    """Return what every cell of a row (batch times units) is given.

    Numbers are in the precision of the arrays, or the kernels compute in double precision.
    """
    limit = _row(threshold, batch)
    number = limit.dtype.type
    membrane, adaptation = decays
    return Cells(
        limit,
        number(unit.decay) if membrane is None else _row(membrane, batch),
        number(unit.adaptation_decay) if adaptation is None else _row(adaptation, batch),
        number(unit.strength),
        number(unit.slope),
        unit.soft,
        len(threshold),
    )


def _row(values: Tensor, batch: int) -> Array:
    return np.tile(values.detach().numpy(), batch)


def _memory(cells: Cells, unit: Unit) -> Memory:
    zeros = np.zeros_like(cells.threshold)
    return Memory(zeros, np.zeros_like(zeros) if unit.adapts else None)
