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

from pcmsim.networks import events, kernels
from pcmsim.networks.unit import Unit

Feedback = Callable[[Tensor], Tensor]

ROWS = 1024  # of a segment: with 150 units in single precision, 0.6 MB of each array


class Gradients(NamedTuple):
    """Gradients of a layer with respect to its inputs and parameters; None where not asked for."""

    x: Tensor | None
    weight: Tensor | None
    recurrent: Tensor | None
    threshold: Tensor | None


def supports(tensor: Tensor) -> bool:
    """Return whether the kernels can work on `tensor`: in memory, single or double precision."""
    return tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64)


def layer(
    x: Tensor, weight: Tensor, recurrent: Tensor | None, threshold: Tensor, unit: Unit
) -> tuple[Tensor, Tensor]:
    """Return potentials and outputs (time, batch, units) for inputs `x` (time, batch, inputs)."""
    steps, batch, _ = x.shape
    x = x.contiguous()
    sparse = events.is_sparse(x)
    potentials = x.new_empty(steps, batch, len(threshold))
    outputs = torch.empty_like(potentials)
    memory = _Memory.at_rest(threshold, batch)
    feedback = None if recurrent is None else lambda y: y @ recurrent
    for part in _segments(steps, batch):
        rows = potentials[part].flatten(0, 1)
        events.write_product(x[part].flatten(0, 1), weight, None, rows, sparse)
        _advance(potentials[part], outputs[part], memory, feedback, unit)
    return potentials, outputs


def recurrence(
    currents: Tensor, feedback: Feedback | None, threshold: Tensor, unit: Unit
) -> Tensor:
    """Return outputs (time, batch, units) for contiguous `currents`, which become potentials."""
    outputs = torch.empty_like(currents)
    memory = _Memory.at_rest(threshold, currents.shape[1])
    _advance(currents, outputs, memory, feedback, unit)
    return outputs


def layer_gradients(
    saved: tuple[Tensor, Tensor, Tensor | None, Tensor, Tensor, Tensor],
    unit: Unit,
    dy: Tensor,
    wanted: tuple[bool, ...],
) -> Gradients:
    """Return the gradients for `dy` = dE/dy (time, batch, units).

    `saved` is x, weight, recurrent, threshold, and the potentials and outputs of `layer`.
    """
    x, weight, recurrent, threshold, potentials, outputs = saved
    steps, batch, units = potentials.shape
    x = x.contiguous()
    sparse = events.is_sparse(x)
    dx = torch.empty_like(x) if wanted[0] else None
    dweight = torch.zeros_like(weight) if wanted[1] else None
    drecurrent = torch.zeros_like(recurrent) if recurrent is not None and wanted[2] else None
    limit = _cells(threshold, batch)
    dlimit = np.zeros_like(limit)
    du = x.new_zeros(_length(steps, batch) + 1, batch, units)
    for part in reversed(list(_segments(steps, batch))):
        count = part.stop - part.start
        du[count] = du[0]
        rows = du[:count].flatten(0, 1)
        piece = (potentials[part], outputs[part], dy[part], du[: count + 1])
        _retreat(*piece, (limit, dlimit), recurrent, unit)
        if dweight is not None:
            events.add_outer(x[part].flatten(0, 1), rows, dweight, sparse)
        if dx is not None:
            torch.mm(rows, weight.T, out=dx[part].flatten(0, 1))
        if drecurrent is not None:
            first = max(part.start, 1)
            before = outputs[first - 1 : part.stop - 1].flatten(0, 1)
            drecurrent.addmm_(before.T, du[first - part.start : count].flatten(0, 1))
    dthreshold = torch.from_numpy(dlimit).view(batch, units).sum(0)
    return Gradients(dx, dweight, drecurrent, dthreshold)


def recurrence_gradients(
    saved: tuple[Tensor, Tensor, Tensor], unit: Unit, dy: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients for the currents and the threshold of a layer without feedback.

    `saved` is threshold, and the potentials and outputs of `recurrence`; `dy` = dE/dy.
    """
    threshold, potentials, outputs = saved
    steps, batch, units = potentials.shape
    limit = _cells(threshold, batch)
    dlimit = np.zeros_like(limit)
    du = dy.new_zeros(steps + 1, batch, units)
    _retreat(potentials, outputs, dy, du, (limit, dlimit), None, unit)
    return du[:-1], torch.from_numpy(dlimit).view(batch, units).sum(0)


class _Memory(NamedTuple):
    """What one step leaves to the next: decay * s * (1 - y) of every cell, and y."""

    limit: kernels.Array
    carried: kernels.Array
    output: Tensor

    @classmethod
    def at_rest(cls, threshold: Tensor, batch: int) -> "_Memory":
        limit = _cells(threshold, batch)
        return cls(limit, np.zeros_like(limit), threshold.new_zeros(batch, len(threshold)))


def _advance(
    currents: Tensor, outputs: Tensor, memory: _Memory, feedback: Feedback | None, unit: Unit
) -> None:
    settings = _settings(memory.limit, unit)
    if feedback is None:
        s, y = currents.flatten(1).numpy(), outputs.flatten(1).numpy()
        kernels.forward(s, memory.carried, memory.limit, *settings, y)
        return
    previous = memory.output
    for current, output in zip(currents.unbind(0), outputs.unbind(0), strict=True):
        current += feedback(previous)
        row, answer = current.view(-1).numpy(), output.view(-1).numpy()
        kernels.advance(row, memory.carried, memory.limit, *settings, answer)
        previous = output
    memory.output.copy_(previous)


def _retreat(
    potentials: Tensor,
    outputs: Tensor,
    dy: Tensor,
    du: Tensor,
    limits: tuple[kernels.Array, kernels.Array],
    recurrent: Tensor | None,
    unit: Unit,
) -> None:
    """Fill `du`, whose last row holds the step after the segment, and add to `limits[1]`."""
    limit, dlimit = limits
    settings = _settings(limit, unit)
    if recurrent is None:
        s, y, d, now = (a.contiguous().flatten(1).numpy() for a in (potentials, outputs, dy, du))
        kernels.backward(s, y, limit, d, *settings, now, dlimit)
        return
    for t in range(len(potentials) - 1, -1, -1):
        total = torch.addmm(dy[t], du[t + 1], recurrent.T)
        rows = (potentials[t], outputs[t], total, du[t + 1], du[t])
        s, y, d, later, now = (row.view(-1).numpy() for row in rows)
        kernels.retreat(s, y, limit, d, later, *settings, now, dlimit)


def _length(steps: int, batch: int) -> int:
    return max(1, min(steps, ROWS // max(batch, 1)))


def _segments(steps: int, batch: int) -> Iterator[slice]:
    length = _length(steps, batch)
    for start in range(0, steps, length):
        yield slice(start, min(start + length, steps))


def _cells(threshold: Tensor, batch: int) -> kernels.Array:
    """Return the threshold of every cell of a row (batch times units)."""
    return np.tile(threshold.detach().numpy(), batch)


def _settings(like: kernels.Array, unit: Unit) -> tuple[Any, Any, bool]:
    """Decay, slope and kind; scalars in the arrays' precision, or the kernels compute in double."""
    number = like.dtype.type
    return number(unit.decay), number(unit.slope), unit.soft
