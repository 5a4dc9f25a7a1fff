"""A layer's whole sequence at once: one matrix product, one fused loop over time.

On the CPU the loop and its gradient are the compiled kernels; on other devices, in other
precisions and for gradients of gradients it is the plain loop of `reference`.
"""

from typing import Any

import torch
from torch import Tensor

from pcmsim.networks import fused, reference
from pcmsim.networks.fused import Course, Feedback, Given
from pcmsim.networks.unit import FIXED, Decays, Unit


def layer_scan(
    x: Tensor,
    weight: Tensor,
    recurrent: Tensor | None,
    threshold: Tensor,
    unit: Unit,
    decays: Decays = FIXED,
) -> Tensor:
    """Return outputs (time, batch, units) of a layer for inputs `x` (time, batch, inputs).

    `weight` is (inputs, units), `recurrent` (units, units) or None, `threshold` (units,).
    Differentiable in all of them and in `decays`.
    """
    if fused.supports(weight):
        result: Tensor = _Layer.apply(x, weight, recurrent, threshold, *decays, unit)  # type: ignore[no-untyped-call]
        return result
    return _plain(x, weight, recurrent, threshold, *decays, unit)


def current_scan(
    currents: Tensor,
    feedback: Feedback | None,
    threshold: Tensor,
    unit: Unit,
    decays: Decays = FIXED,
) -> Tensor:
    """Return outputs of units that receive `currents` (time, batch, units).

    `feedback` maps y_{t-1} to what recurrent connections add in step t; it is called at every
    step, the first included. Differentiable in `currents`, `threshold` and `decays`, and through
    `feedback` where that is differentiable: currents may come from a crossbar, gradients from
    software.
    """
    if not fused.supports(currents):
        return reference.scan(currents, feedback, threshold, unit, decays)
    if not torch.is_grad_enabled():
        # Potentials are written over the currents, and these belong to the caller.
        own = currents.clone(memory_format=torch.contiguous_format)
        return fused.recurrence(own, feedback, threshold, unit, decays).outputs
    if feedback is not None:
        return reference.scan(currents, feedback, threshold, unit, decays)
    result: Tensor = _Currents.apply(currents, threshold, *decays, unit)  # type: ignore[no-untyped-call]
    return result


class _Currents(torch.autograd.Function):
    """Value and gradient from the kernels, for currents that somebody else measured."""

    @staticmethod
    def forward(
        ctx: Any,
        currents: Tensor,
        threshold: Tensor,
        membrane: Tensor | None,
        adaptation: Tensor | None,
        unit: Unit,
    ) -> Tensor:
        own = currents.clone(memory_format=torch.contiguous_format)
        decays = Decays(membrane, adaptation)
        course = fused.recurrence(own, None, threshold, unit, decays)
        ctx.unit = unit
        ctx.save_for_backward(threshold, *decays, *course)
        return course.outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        threshold, *rest = ctx.saved_tensors
        decays, course = Decays(*rest[:2]), Course(*rest[2:])
        return (*fused.recurrence_gradients(threshold, decays, course, ctx.unit, dy), None)


class _Layer(torch.autograd.Function):
    """Value and gradient from the kernels; gradients of the gradient from the plain loop."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        recurrent: Tensor | None,
        threshold: Tensor,
        membrane: Tensor | None,
        adaptation: Tensor | None,
        unit: Unit,
    ) -> Tensor:
        given = Given(weight, recurrent, threshold, Decays(membrane, adaptation))
        course = fused.layer(x, given, unit)
        ctx.unit = unit
        ctx.save_for_backward(x, weight, recurrent, threshold, membrane, adaptation, *course)
        return course.outputs

    @staticmethod
    def backward(ctx: Any, *output_gradients: Tensor) -> tuple[Tensor | None, ...]:
        (dy,) = output_gradients
        inputs, course = ctx.saved_tensors[:6], Course(*ctx.saved_tensors[6:])
        if torch.is_grad_enabled():
            return (*_differentiable_gradients(inputs, ctx.unit, dy), None)
        x, weight, recurrent, threshold, membrane, adaptation = inputs
        given = Given(weight, recurrent, threshold, Decays(membrane, adaptation))
        wanted = ctx.needs_input_grad
        return (*fused.layer_gradients(x, given, course, ctx.unit, dy, wanted), None)


def _product(recurrent: Tensor | None) -> Feedback | None:
    return None if recurrent is None else lambda y: y @ recurrent


def _plain(
    x: Tensor,
    weight: Tensor,
    recurrent: Tensor | None,
    threshold: Tensor,
    membrane: Tensor | None,
    adaptation: Tensor | None,
    unit: Unit,
) -> Tensor:
    decays = Decays(membrane, adaptation)
    return reference.scan(x @ weight, _product(recurrent), threshold, unit, decays)


def _differentiable_gradients(
    inputs: tuple[Tensor, Tensor, Tensor | None, Tensor, Tensor | None, Tensor | None],
    unit: Unit,
    dy: Tensor,
) -> tuple[Tensor | None, ...]:
    """Return dE/d(each input) as a function of the inputs and of `dy` that autograd can follow."""
    chosen = [i for i, value in enumerate(inputs) if value is not None and value.requires_grad]
    outputs = _plain(*inputs, unit)
    wanted = [value for i, value in enumerate(inputs) if i in chosen and value is not None]
    found = torch.autograd.grad(outputs, wanted, dy, create_graph=True)
    by_place = dict(zip(chosen, found, strict=True))
    return tuple(by_place.get(i) for i in range(len(inputs)))
