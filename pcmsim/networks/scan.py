"""A layer's whole sequence at once: one matrix product, one fused loop over time.

On the CPU the loop and its gradient are the compiled kernels; on other devices, in other
precisions and for gradients of gradients it is the plain loop of `reference`.
"""

from typing import Any

import torch
from torch import Tensor

from pcmsim.networks import fused, reference
from pcmsim.networks.fused import Feedback
from pcmsim.networks.unit import Unit


def layer_scan(
    x: Tensor, weight: Tensor, recurrent: Tensor | None, threshold: Tensor, unit: Unit
) -> Tensor:
    """Return outputs (time, batch, units) of a layer for inputs `x` (time, batch, inputs).

    `weight` is (inputs, units), `recurrent` (units, units) or None, `threshold` (units,).
    Differentiable in all of them.
    """
    if fused.supports(weight):
        result: Tensor = _Layer.apply(x, weight, recurrent, threshold, unit)  # type: ignore[no-untyped-call]
        return result
    return _plain(x, weight, recurrent, threshold, unit)


def current_scan(
    currents: Tensor, feedback: Feedback | None, threshold: Tensor, unit: Unit
) -> Tensor:
    """Return outputs of units that receive `currents` (time, batch, units).

    `feedback` maps y_{t-1} to what recurrent connections add in step t; it is called at every
    step, the first included. Differentiable in `currents` and `threshold`, and through `feedback`
    where that is differentiable: currents may come from a crossbar, gradients from software.
    """
    if not fused.supports(currents):
        return reference.scan(currents, feedback, threshold, unit)
    if not torch.is_grad_enabled():
        # Potentials are written over the currents, and these belong to the caller.
        own = currents.clone(memory_format=torch.contiguous_format)
        return fused.recurrence(own, feedback, threshold, unit)
    if feedback is not None:
        return reference.scan(currents, feedback, threshold, unit)
    result: Tensor = _Currents.apply(currents, threshold, unit)  # type: ignore[no-untyped-call]
    return result


class _Currents(torch.autograd.Function):
    """Value and gradient from the kernels, for currents that somebody else measured."""

    @staticmethod
    def forward(ctx: Any, currents: Tensor, threshold: Tensor, unit: Unit) -> Tensor:
        potentials = currents.clone(memory_format=torch.contiguous_format)
        outputs = fused.recurrence(potentials, None, threshold, unit)
        ctx.unit = unit
        ctx.save_for_backward(threshold, potentials, outputs)
        return outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, None]:
        return (*fused.recurrence_gradients(ctx.saved_tensors, ctx.unit, dy), None)


class _Layer(torch.autograd.Function):
    """Value and gradient from the kernels; gradients of the gradient from the plain loop."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        recurrent: Tensor | None,
        threshold: Tensor,
        unit: Unit,
    ) -> Tensor:
        potentials, outputs = fused.layer(x, weight, recurrent, threshold, unit)
        ctx.unit = unit
        ctx.save_for_backward(x, weight, recurrent, threshold, potentials, outputs)
        return outputs

    @staticmethod
    def backward(ctx: Any, *output_gradients: Tensor) -> tuple[Tensor | None, ...]:
        (dy,) = output_gradients
        if torch.is_grad_enabled():
            inputs = ctx.saved_tensors[:4]
            return (*_differentiable_gradients(inputs, ctx.unit, dy), None)
        wanted = ctx.needs_input_grad
        return (*fused.layer_gradients(ctx.saved_tensors, ctx.unit, dy, wanted), None)


def _product(recurrent: Tensor | None) -> Feedback | None:
    return None if recurrent is None else lambda y: y @ recurrent


def _plain(
    x: Tensor, weight: Tensor, recurrent: Tensor | None, threshold: Tensor, unit: Unit
) -> Tensor:
    return reference.scan(x @ weight, _product(recurrent), threshold, unit)


def _differentiable_gradients(
    inputs: tuple[Tensor, Tensor, Tensor | None, Tensor], unit: Unit, dy: Tensor
) -> tuple[Tensor | None, ...]:
    """Return dE/d(each input) as a function of the inputs and of `dy` that autograd can follow."""
    chosen = [i for i, value in enumerate(inputs) if value is not None and value.requires_grad]
    outputs = _plain(*inputs, unit)
    wanted = [value for i, value in enumerate(inputs) if i in chosen and value is not None]
    found = torch.autograd.grad(outputs, wanted, dy, create_graph=True)
    by_place = dict(zip(chosen, found, strict=True))
    return tuple(by_place.get(i) for i in range(len(inputs)))
