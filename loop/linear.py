"""A matrix product whose value is measured and whose gradient is computed in software.

y = gain (x W_chip), where W_chip is what the devices show. The backward pass knows only the
weights W that software believes to be there: dE/dx = (gain dE/dy) W^T and dE/dW = x^T (gain dE/dy).
What the devices do differently enters through y, and so through the loss.
"""

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from pcmsim.crossbar import check_weight
from pcmsim.errors import UsageError
from pcmsim.loop.crossbar import Crossbar, FloatArray
from pcmsim.loop.weights import WeightArray
from pcmsim.networks import events


class Product(Protocol):
    """Something that multiplies: an array, or weights that were read back from it."""

    def multiply(self, x: FloatArray) -> FloatArray:
        """Product of `x` (n, rows) with a matrix of (rows, columns)."""
        ...


def measured_product(x: Tensor, weight: Tensor, gain: Tensor, product: Product) -> Tensor:
    """Return gain * product.multiply(x), differentiable in `x`, `weight` and `gain`.

    Shapes: x (..., rows), weight (rows, columns), gain (columns,). Raises `UsageError` for others,
    or unless all three are float32, or all float64.
    """
    if x.shape[-1:] != weight.shape[:1] or gain.shape != weight.shape[1:]:
        raise UsageError(
            f"inputs must have shape (..., {weight.shape[0]}) for a weight {tuple(weight.shape)}, "
            f"and the gain ({weight.shape[-1]},); got {tuple(x.shape)} and {tuple(gain.shape)}"
        )
    if not x.dtype == weight.dtype == gain.dtype or x.dtype not in (torch.float32, torch.float64):
        raise UsageError(
            f"inputs, weight and gain must all be float32, or all float64; got {x.dtype}, "
            f"{weight.dtype} and {gain.dtype}: convert with .to()"
        )
    result: Tensor = _Measured.apply(x, weight, gain, product)  # type: ignore[no-untyped-call]
    return result


class _Measured(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, gain: Tensor, product: Product) -> Tensor:
        rows = x.detach().reshape(-1, weight.shape[0]).contiguous()
        measured = np.require(product.multiply(rows.cpu().numpy()), requirements=["C", "W"])
        if measured.shape != (len(rows), weight.shape[1]):
            raise UsageError(
                f"the product has shape {measured.shape}; {(len(rows), weight.shape[1])} is needed"
            )
        y = torch.from_numpy(measured).to(device=x.device, dtype=x.dtype)
        ctx.save_for_backward(rows, weight, gain, y)
        ctx.shape = x.shape
        return (y * gain).view(*x.shape[:-1], weight.shape[1])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, gain, y = ctx.saved_tensors
        dy = dy.reshape(y.shape)
        dgain = (dy * y).sum(0) if ctx.needs_input_grad[2] else None
        d = (dy * gain).contiguous()
        dx = (d @ weight.T).view(ctx.shape) if ctx.needs_input_grad[0] else None
        dweight = None
        if ctx.needs_input_grad[1]:
            dweight = torch.zeros_like(weight)
            events.add_outer(rows, d, dweight, sparse=rows.is_cpu and events.is_sparse(rows))
        return dx, dweight, dgain, None


class HardwareLinear(nn.Module):
    """A dense layer on a crossbar, for any `nn.Module`: y = gain (x W_chip) + bias.

    `weight` (rows, columns) is what software believes; it is written to the array at once. `gain`
    (columns,) and `bias` are digital. Train all three with any optimiser, and let an update rule
    of `pcmsim.loop.rules` bring the changes of `weight` onto the devices.

    Raises `UsageError` if the array has another shape than the weight, or the weight is not finite.

    >>> from pcmsim.loop import MockCrossbar
    >>> layer = HardwareLinear.onto(MockCrossbar((2, 1, 3, 4)), torch.ones(3, 4), g_max=25.0)
    >>> layer(torch.eye(3)).detach()[0].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, array: WeightArray, weight: Tensor, bias: bool = True) -> None:
        super().__init__()
        check_weight(weight.detach().cpu().numpy())
        if tuple(array.crossbar.shape[2:]) != tuple(weight.shape):
            raise UsageError(
                f"the array has {tuple(array.crossbar.shape[2:])} rows and columns; the weight has "
                f"shape {tuple(weight.shape)}"
            )
        self.array = array
        self.weight = nn.Parameter(weight.detach().clone())
        self.gain = nn.Parameter(weight.new_ones(weight.shape[1]))
        self.bias = nn.Parameter(weight.new_zeros(weight.shape[1])) if bias else None
        array.write(self.weight.detach().cpu().numpy())

    @classmethod
    def onto(
        cls, crossbar: Crossbar, weight: Tensor, g_max: float, bias: bool = True
    ) -> "HardwareLinear":
        """Layer with one scale for the matrix: its largest weight is `g_max` [µS]."""
        check_weight(weight.detach().cpu().numpy())
        largest = float(weight.detach().abs().max()) or 1.0
        scale = np.full(weight.shape[1], largest / g_max)
        return cls(WeightArray(crossbar, g_max, scale), weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output (..., columns) for `x` (..., rows)."""
        y = measured_product(x, self.weight, self.gain, self.array)
        return y if self.bias is None else y + self.bias
