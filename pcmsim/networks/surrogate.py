"""The step function and what stands in for its derivative in gradients.

Each surrogate is the derivative of a smooth function, which autograd differentiates as often as
asked. Formulas and sources are those of `pcmsim.config.surrogate`.
"""

import math

import torch
from torch import Tensor

from pcmsim.config import Boxcar, FastSigmoid, MultiGaussian, Surrogate
from pcmsim.networks.units.cell import TANH


def spike(z: Tensor, surrogate: Surrogate = TANH) -> Tensor:
    """Return one where z > 0 and exactly zero elsewhere; its gradient is that of `surrogate`.

    >>> z = torch.tensor([-1.0, 0.0, 0.5], requires_grad=True)
    >>> spike(z).sum().backward()
    >>> spike(z).tolist(), [round(slope, 4) for slope in z.grad.tolist()]
    ([0.0, 0.0, 1.0], [0.42, 1.0, 0.7864])
    """
    smooth = _smooth(z, surrogate)
    return (z > 0.0).to(z.dtype) + (smooth - smooth.detach())


def surrogate_derivative(z: Tensor, surrogate: Surrogate = TANH) -> Tensor:
    """Return what stands in for the derivative of the step at `z`.

    >>> surrogate_derivative(torch.tensor([0.0, 0.4, 0.6]), Boxcar(width=0.5)).tolist()
    [1.0, 1.0, 0.0]
    """
    if isinstance(surrogate, FastSigmoid):
        return 1.0 / (1.0 + surrogate.scale * z.abs()) ** 2
    if isinstance(surrogate, Boxcar):
        return (z.abs() <= surrogate.width).to(z.dtype) * (0.5 / surrogate.width)
    if isinstance(surrogate, MultiGaussian):
        return sum((_bell(z, *values) for values in _bells(surrogate)), torch.zeros_like(z))
    return 1.0 - torch.tanh(z) ** 2


def _smooth(z: Tensor, surrogate: Surrogate) -> Tensor:
    """Return the function whose derivative is the surrogate."""
    if isinstance(surrogate, FastSigmoid):
        return z / (1.0 + surrogate.scale * z.abs())
    if isinstance(surrogate, Boxcar):
        return z.clamp(-surrogate.width, surrogate.width) * (0.5 / surrogate.width)
    if isinstance(surrogate, MultiGaussian):
        return sum((_rise(z, *values) for values in _bells(surrogate)), torch.zeros_like(z))
    return torch.tanh(z)


def _bells(surrogate: MultiGaussian) -> tuple[tuple[float, float, float], ...]:
    """Area, centre and standard deviation of each Gaussian."""
    width, wide = surrogate.width, surrogate.spread * surrogate.width
    side = -surrogate.scale * surrogate.height
    centre = surrogate.scale * (1.0 + surrogate.height)
    return ((centre, 0.0, width), (side, width, wide), (side, -width, wide))


def _bell(z: Tensor, area: float, centre: float, width: float) -> Tensor:
    return torch.exp(-0.5 * ((z - centre) / width) ** 2) * (area / (width * math.sqrt(2 * math.pi)))


def _rise(z: Tensor, area: float, centre: float, width: float) -> Tensor:
    return 0.5 * area * torch.erf((z - centre) / (width * math.sqrt(2.0)))
