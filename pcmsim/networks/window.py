"""The geometry of a convolutional layer: which values of an image each of its pixels sees.

A patch is a row of inputs, so the layer itself is one of ordinary units: rows (time, batch x
pixels, kernel x kernel x channels) times one weight matrix. Values within a patch, and what a
layer sends on, are ordered by row of pixels, pixel and channel; an image that is an input has its
channels first.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pcmsim.config import Convolution, Extent, Network, before_pooling, extents
from pcmsim.errors import UsageError
from pcmsim.networks.patches import Grid, patches


@dataclass(frozen=True)
class Window:
    """What one layer sees (`seen`), its units (`spiking`) and what it sends on (`sent`).

    `planes` says that the channels of what is seen come first.
    """

    seen: Extent
    spiking: Extent
    sent: Extent
    kernel: int
    stride: int
    padding: int
    pool: int
    planes: bool

    @property
    def pixels(self) -> int:
        """Pixels of units: products with the matrix per step and image."""
        return self.spiking.height * self.spiking.width

    @property
    def rows(self) -> int:
        """Inputs of one unit: rows of the matrix."""
        return self.kernel * self.kernel * self.seen.channels

    def patches(self, x: Tensor) -> Tensor:
        """Return patches (time, batch x pixels, rows) of `x` (time, batch, seen.size).

        Differentiable any number of times. Raises `UsageError` for inputs of another size.

        >>> x = torch.arange(9.0).reshape(1, 1, 9)
        >>> spec = Network(unit="snu", inputs=9, image=(1, 3, 3),
        ...                convolutions=[{"channels": 1, "kernel": 2}])
        >>> windows(spec)[0].patches(x)[0].tolist()[-1]
        [4.0, 5.0, 7.0, 8.0]
        """
        steps, batch = x.shape[:2]
        if x.ndim != 3 or x.shape[2] != self.seen.size:
            raise UsageError(
                f"x has shape {tuple(x.shape)}; a layer that sees {self.seen.channels} x "
                f"{self.seen.height} x {self.seen.width} takes (time, batch, {self.seen.size})"
            )
        channels, height, width = self.seen
        if self.planes and channels > 1:
            images = x.reshape(-1, channels, height, width).permute(0, 2, 3, 1)
        else:
            images = x.reshape(-1, height, width, channels)
        grid = Grid(height, width, channels, self.kernel, self.stride, self.padding)
        return patches(images, grid).view(steps, batch * self.pixels, self.rows)

    def pooled(self, y: Tensor) -> Tensor:
        """Return what is sent on, (time, batch, sent.size), of outputs (time, batch x pixels, ...).

        The gradient of a maximum goes in even parts to all that reach it.
        """
        channels, height, width = self.spiking
        if self.pool == 1:
            return y.reshape(len(y), -1, self.spiking.size)
        squares = y.reshape(-1, height, width, channels)
        high, wide = self.sent.height * self.pool, self.sent.width * self.pool
        squares = squares[:, :high, :wide].reshape(
            -1, self.sent.height, self.pool, self.sent.width, self.pool, channels
        )
        return squares.amax((2, 4)).reshape(len(y), -1, self.sent.size)

    def uses(self) -> Tensor:
        """In how many patches each value of what is seen stands, (seen.size,).

        >>> spec = Network(unit="snu", inputs=9, image=(1, 3, 3),
        ...                convolutions=[{"channels": 1, "kernel": 2}])
        >>> windows(spec)[0].uses().tolist()
        [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]
        """
        image = torch.zeros(1, 1, self.seen.size, dtype=torch.float64, requires_grad=True)
        (found,) = torch.autograd.grad(self.patches(image).sum(), image)
        return found.view(-1)


def windows(spec: Network) -> list[Window]:
    """Windows of the convolutional layers of a network, in order."""
    if spec.image is None:
        return []
    found = extents(spec.image, spec.convolutions)
    return [
        _window(seen, layer, sent, planes=i == 0)
        for i, (seen, layer, sent) in enumerate(
            zip(found, spec.convolutions, found[1:], strict=False)
        )
    ]


def _window(seen: Extent, layer: Convolution, sent: Extent, *, planes: bool) -> Window:
    shape = (layer.kernel, layer.stride, layer.padding, layer.pool)
    return Window(seen, before_pooling(seen, layer), sent, *shape, planes)


def real_rows(mask: Tensor, rows: Tensor) -> Tensor:
    """Which `rows` (time, batch x pixels, ...) belong to steps that `mask` (time, batch) has.

    >>> real_rows(torch.tensor([[True, False]]), torch.zeros(1, 4, 9)).tolist()
    [[True, True, False, False]]
    """
    return mask.repeat_interleave(rows.shape[1] // mask.shape[1], dim=1)


def flat_inputs(spec: Network) -> int:
    """Values that the first layer without a window receives.

    >>> spec = Network(unit="snu", inputs=784, image=(1, 28, 28),
    ...                convolutions=[{"channels": 8, "kernel": 5, "pool": 2}])
    >>> flat_inputs(spec), flat_inputs(Network(unit="snu"))
    (1152, 88)
    """
    if spec.image is None:
        return spec.inputs
    return math.prod(extents(spec.image, spec.convolutions)[-1])


def shape_text(spec: Network) -> str:
    """Sizes of all layers on one line; a convolution as channels, c kernel, s stride, p pool.

    >>> shape_text(Network(unit="snu", inputs=784, image=(1, 28, 28), hidden=(128,), outputs=10,
    ...                    convolutions=[{"channels": 8, "kernel": 5, "pool": 2}]))
    '784-8c5p2-128-10'
    """
    layers = [
        f"{layer.channels}c{layer.kernel}"
        + (f"s{layer.stride}" if layer.stride > 1 else "")
        + (f"p{layer.pool}" if layer.pool > 1 else "")
        for layer in spec.convolutions
    ]
    return "-".join(map(str, (spec.inputs, *layers, *spec.hidden, spec.outputs)))
