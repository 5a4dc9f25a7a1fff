"""Layers of a network that see an image, and how large their outputs are."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from pcmsim.config.base import Count, Section

# Channels, height and width of the inputs, which are laid out in this order.
Image = Annotated[tuple[Count, Count, Count], Field(strict=False)]


class Convolution(Section):
    """One set of weights, shown to every patch of `kernel` x `kernel` pixels of all channels.

    Patches begin every `stride` pixels of the image, which has `padding` zeros on each side. With
    `pool` above 1 a layer sends on the largest output of each `pool` x `pool` square; what is left
    over at the right and at the bottom is not sent.
    """

    channels: Count
    kernel: Count
    stride: Count = 1
    padding: Annotated[int, Field(ge=0, le=65_536)] = 0
    pool: Count = 1

    @model_validator(mode="after")
    def _patches_hold_pixels(self) -> "Convolution":
        if self.padding >= self.kernel:
            raise ValueError(
                f"padding = {self.padding} lets patches of kernel = {self.kernel} see nothing but "
                f"zeros; padding is at most {self.kernel - 1}"
            )
        return self


class Extent(NamedTuple):
    """Channels, height and width."""

    channels: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """Values in all."""
        return self.channels * self.height * self.width


def extents(image: tuple[int, int, int], layers: Sequence[Convolution]) -> list[Extent]:
    """What each layer receives and, last, what the last one sends.

    Raises `ValueError`, which names the layer, where a kernel or pool is larger than what it sees.

    >>> extents((1, 28, 28), [Convolution(channels=8, kernel=5, pool=2)])[-1]
    Extent(channels=8, height=12, width=12)
    """
    found = [Extent(*image)]
    for i, layer in enumerate(layers):
        spiking = before_pooling(found[-1], layer)
        if min(spiking[1:]) < 1:
            seen = min(found[-1][1:]) + 2 * layer.padding
            raise ValueError(
                f"convolutions.{i}.kernel = {layer.kernel} is larger than what it sees, {seen} "
                f"pixels with padding; at most {seen} here"
            )
        if layer.pool > min(spiking[1:]):
            raise ValueError(
                f"convolutions.{i}.pool = {layer.pool} is larger than the {spiking.height} x "
                f"{spiking.width} pixels of the layer; at most {min(spiking[1:])} here"
            )
        sent = (spiking.height // layer.pool, spiking.width // layer.pool)
        found.append(Extent(layer.channels, *sent))
    return found


def before_pooling(seen: Extent, layer: Convolution) -> Extent:
    """Channels, height and width of the units of `layer`.

    >>> before_pooling(Extent(1, 28, 28), Convolution(channels=8, kernel=5, stride=2, padding=2))
    Extent(channels=8, height=14, width=14)
    """
    wide = [
        (side + 2 * layer.padding - layer.kernel) // layer.stride + 1
        for side in (seen.height, seen.width)
    ]
    return Extent(layer.channels, *wide)
