"""What stands in for the slope of a spike, z = potential - threshold."""

from typing import Annotated, Literal

from pydantic import Field

from pcmsim.config.base import NotNegative, Positive, Section


class Tanh(Section):
    """1 - tanh(z)^2, of height one."""

    name: Literal["tanh"] = "tanh"


class FastSigmoid(Section):
    """1 / (1 + scale |z|)^2 (Zenke and Ganguli, arXiv:1705.11146)."""

    name: Literal["fast_sigmoid"] = "fast_sigmoid"
    scale: Positive = 10.0


class Boxcar(Section):
    """1 / (2 width) where |z| <= width and zero elsewhere."""

    name: Literal["boxcar"] = "boxcar"
    width: Positive = 0.5


class MultiGaussian(Section):
    """A Gaussian less two wide ones at its sides (Yin et al., arXiv:2103.12593).

    scale [(1 + height) N(z | 0, width) - height N(z | ±width, spread width)].
    """

    name: Literal["multi_gaussian"] = "multi_gaussian"
    width: Positive = 0.5
    height: NotNegative = 0.15
    spread: Positive = 6.0
    scale: Positive = 0.5


Surrogate = Annotated[Tanh | FastSigmoid | Boxcar | MultiGaussian, Field(discriminator="name")]
