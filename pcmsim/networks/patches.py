"""Patches of images as rows, and the way back: sums over all patches that a value stands in.

Both are linear and each is the gradient of the other, so gradients of any order are theirs. On the
CPU they are compiled loops that copy one row of pixels of a patch at a time.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pcmsim.networks import fused
from pcmsim.networks.kernels import Array, compiled


class Grid(NamedTuple):
    """Size of the images, and of the patches that begin every `stride` pixels."""

    height: int
    width: int
    channels: int
    kernel: int
    stride: int
    padding: int

    @property
    def sides(self) -> tuple[int, int]:
        """Patches from top to bottom and from left to right."""
        spare = 2 * self.padding - self.kernel
        return (self.height + spare) // self.stride + 1, (self.width + spare) // self.stride + 1

    @property
    def pixels(self) -> int:
        """Patches of an image."""
        return self.sides[0] * self.sides[1]

    @property
    def values(self) -> int:
        """Values of a patch."""
        return self.kernel * self.kernel * self.channels


def patches(images: Tensor, grid: Grid) -> Tensor:
    """Return patches (n, pixels, kernel kernel channels) of `images` (n, height, width, channels).

    Beyond the edge of an image are zeros.

    >>> patches(torch.arange(4.0).view(1, 2, 2, 1), Grid(2, 2, 1, 2, 1, 1))[0, 0].tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    if fused.supports(images):
        result: Tensor = _Patches.apply(images, grid)  # type: ignore[no-untyped-call]
        return result
    return plain_patches(images, grid)


def plain_patches(images: Tensor, grid: Grid) -> Tensor:
    """Return what `patches` does with functions of torch, on any device."""
    found = functional.unfold(
        images.permute(0, 3, 1, 2), grid.kernel, padding=grid.padding, stride=grid.stride
    )
    by_channel = found.view(len(images), grid.channels, grid.kernel * grid.kernel, -1)
    return by_channel.permute(0, 3, 2, 1).reshape(len(images), grid.pixels, grid.values)


class _Patches(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Grid) -> Tensor:
        ctx.grid = grid
        out = images.new_empty(len(images), grid.pixels, grid.values)
        _gather(_rows(images), out.numpy(), *grid, grid.sides[1])
        return out

    @staticmethod
    def backward(ctx: Any, *output_gradients: Tensor) -> tuple[Tensor, None]:
        return _Folded.apply(output_gradients[0], ctx.grid), None  # type: ignore[no-untyped-call]


class _Folded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, grid: Grid) -> Tensor:
        ctx.grid = grid
        out = rows.new_zeros(len(rows), grid.height, grid.width, grid.channels)
        _scatter(rows.detach().contiguous().numpy(), out.flatten(2).numpy(), *grid, grid.sides[1])
        return out

    @staticmethod
    def backward(ctx: Any, *output_gradients: Tensor) -> tuple[Tensor, None]:
        return _Patches.apply(output_gradients[0], ctx.grid), None  # type: ignore[no-untyped-call]


def _rows(images: Tensor) -> Array:
    """Images as (n, height, width times channels), in memory."""
    rows: Array = images.detach().contiguous().flatten(2).numpy()
    return rows


@compiled
def _gather(
    images: Array,
    out: Array,
    height: int,
    width: int,
    channels: int,
    kernel: int,
    stride: int,
    padding: int,
    across: int,
) -> None:
    n, pixels, _ = out.shape
    run = kernel * channels
    for i in range(n):
        for p in range(pixels):
            top = p // across * stride - padding
            left = (p % across * stride - padding) * channels
            first = max(0, -left)
            last = max(first, min(run, width * channels - left))
            for a in range(kernel):
                to = out[i, p, a * run : (a + 1) * run]
                if top + a < 0 or top + a >= height:
                    to[:] = 0
                    continue
                to[:first] = 0
                to[last:] = 0
                row = images[i, top + a, left + first : left + last]
                inside = to[first:last]
                for k in range(row.size):
                    inside[k] = row[k]


@compiled
def _scatter(
    rows: Array,
    out: Array,
    height: int,
    width: int,
    channels: int,
    kernel: int,
    stride: int,
    padding: int,
    across: int,
) -> None:
    n, pixels, _ = rows.shape
    run = kernel * channels
    for i in range(n):
        for p in range(pixels):
            top = p // across * stride - padding
            left = (p % across * stride - padding) * channels
            first = max(0, -left)
            last = max(first, min(run, width * channels - left))
            for a in range(max(0, -top), min(kernel, height - top)):
                added = rows[i, p, a * run + first : a * run + last]
                to = out[i, top + a, left + first : left + last]
                for k in range(added.size):
                    to[k] += added[k]
