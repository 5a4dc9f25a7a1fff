"""A dense layer without state, differentiable; by events where its inputs are mostly zero."""

from typing import Any

import torch
from torch import Tensor

from pcmsim.networks import events, fused


def dense(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x W + bias for `x` (..., inputs), `weight` (inputs, outputs), `bias` (outputs,).

    >>> dense(torch.ones(1, 2), torch.tensor([[1.0, 2.0], [10.0, 20.0]]), torch.ones(2)).tolist()
    [[12.0, 23.0]]
    """
    if fused.supports(weight):
        result: Tensor = _Dense.apply(x, weight, bias)  # type: ignore[no-untyped-call]
        return result
    return x @ weight + bias


class _Dense(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1]).contiguous()
        ctx.sparse = events.is_sparse(rows)
        ctx.save_for_backward(x, weight)
        out = x.new_empty(*x.shape[:-1], len(bias))
        events.write_product(rows, weight, bias, out.view(-1, len(bias)), ctx.sparse)
        return out

    @staticmethod
    def backward(ctx: Any, *output_gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        d = output_gradients[0].reshape(-1, weight.shape[1]).contiguous()
        rows = x.reshape(-1, x.shape[-1])
        wanted = ctx.needs_input_grad
        dx = (d @ weight.T).view_as(x) if wanted[0] else None
        dbias = d.sum(0) if wanted[2] else None
        if not wanted[1]:
            return dx, None, dbias
        if torch.is_grad_enabled() or not ctx.sparse:
            return dx, rows.T @ d, dbias
        dweight = torch.zeros_like(weight)
        events.add_outer(rows.contiguous(), d, dweight, sparse=True)
        return dx, dweight, dbias
