"""A leaky integrator of each output: what a readout with memory does to its logits.

    o_t = decay o_{t-1} + (1 - decay) v_t

as the readout of Yin, Corradi and Bohte (arXiv:2103.12593), with a decay for each output.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pcmsim.networks import fused, leaky_kernel


def leak(values: Tensor, decay: Tensor) -> Tensor:
    """Return o (time, batch, outputs) for v `values` and `decay` (outputs,), from o = 0.

    >>> leak(torch.ones(3, 1, 1), torch.tensor([0.5])).flatten().tolist()
    [0.5, 0.75, 0.875]
    """
    if fused.supports(values):
        result: Tensor = _Leak.apply(values, decay)  # type: ignore[no-untyped-call]
        return result
    return plain_leak(values, decay)


def leak_step(before: Tensor, values: Tensor, decay: Tensor) -> Tensor:
    """Return o_t for o_{t-1} `before` and v_t `values`, each (batch, outputs)."""
    return decay * before + (1.0 - decay) * values


def plain_leak(values: Tensor, decay: Tensor) -> Tensor:
    """Return what `leak` does by a plain loop, which defines it."""
    o, outputs = torch.zeros_like(values[:1].sum(0)), []
    for v in values.unbind(0):
        o = leak_step(o, v, decay)
        outputs.append(o)
    return torch.stack(outputs) if outputs else torch.zeros_like(values)


class _Leak(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, decay: Tensor) -> Tensor:
        outputs = torch.empty_like(values, memory_format=torch.contiguous_format)
        row = np.tile(decay.detach().numpy(), values.shape[1])
        leaky_kernel.forward(_rows(values), row, _rows(outputs))
        ctx.save_for_backward(decay, outputs)
        return outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d: Tensor) -> tuple[Tensor, Tensor]:
        decay, outputs = ctx.saved_tensors
        row = np.tile(decay.detach().numpy(), outputs.shape[1])
        gradients, total = torch.empty_like(outputs), np.zeros_like(row)
        leaky_kernel.backward(_rows(outputs), row, _rows(d), _rows(gradients), total)
        summed = torch.from_numpy(total).view(outputs.shape[1:]).sum(0)
        # A decay that rounds to one has a logit without gradient.
        gap = 1.0 - decay.detach()
        return gradients, torch.where(gap > 0.0, summed / gap, torch.zeros_like(summed))


def _rows(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().flatten(1).numpy()
