"""The spiking neural unit as a pure function of its state: one step in time.

The unit integrates its input current into a membrane potential and answers with an output,

    s_t = g(I_t + decay * s_{t-1} * (1 - y_{t-1})),    y_t = h(s_t - threshold),

where I_t = W x_t (+ H y_{t-1}). The spiking unit (`snu`) has the step h(z) = 1 if z > 0 else 0,
whose derivative is replaced by 1 - tanh(z)^2; the soft unit (`ssnu`) has the logistic function.
Everything here is dimensionless. Woźniak et al., doi:10.1038/s42256-020-0187-0 (arXiv:1812.07040).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pcmsim.config import Network

SLOPES = {"identity": 1.0, "relu": 0.0, "leaky_relu": 0.1}


@dataclass(frozen=True)
class Unit:
    """What all units of a layer share: the kind of output, the decay per step, and g."""

    kind: Literal["snu", "ssnu"]
    decay: float
    activation: Literal["identity", "relu", "leaky_relu"] = "identity"

    @property
    def soft(self) -> bool:
        """Whether the output is the logistic function instead of the step."""
        return self.kind == "ssnu"

    @property
    def slope(self) -> float:
        """Slope of g at and below zero; above zero it is one."""
        return SLOPES[self.activation]


@dataclass(frozen=True)
class State:
    """Membrane potential s and output y of a layer, each of shape (batch, units)."""

    potential: Tensor
    output: Tensor


def unit_of(spec: Network) -> Unit:
    """Return the unit that a network's configuration asks for."""
    return Unit(spec.unit, spec.decay, spec.activation)


def rest(like: Tensor) -> State:
    """Return the state before the first step: potential and output zero, shaped as `like`."""
    zeros = torch.zeros_like(like)
    return State(zeros, zeros)


def step(state: State, current: Tensor, threshold: Tensor, unit: Unit) -> State:
    """Return the state after one step with input `current` (batch, units) and `threshold` (units,).

    A unit that has spiked keeps nothing of its potential:

    >>> one = torch.ones(1)
    >>> fired = step(State(one, one), 0.0 * one, one, Unit("snu", decay=0.8))
    >>> quiet = step(State(one, 0.0 * one), 0.0 * one, one, Unit("snu", decay=0.8))
    >>> fired.potential.item(), round(quiet.potential.item(), 6)
    (0.0, 0.8)
    """
    potential = activate(current + unit.decay * state.potential * (1.0 - state.output), unit)
    distance = potential - threshold
    return State(potential, torch.sigmoid(distance) if unit.soft else spike(distance))


def activate(u: Tensor, unit: Unit) -> Tensor:
    """Return g(u): u where it is positive, `unit.slope` times u elsewhere."""
    if unit.activation == "identity":
        return u
    if unit.activation == "relu":
        return torch.relu(u)
    return torch.nn.functional.leaky_relu(u, unit.slope)


def spike(z: Tensor) -> Tensor:
    """Return one where z > 0 and exactly zero elsewhere; its gradient is `surrogate_derivative(z)`.

    >>> z = torch.tensor([-1.0, 0.0, 0.5], requires_grad=True)
    >>> spike(z).sum().backward()
    >>> spike(z).tolist(), [round(slope, 4) for slope in z.grad.tolist()]
    ([0.0, 0.0, 1.0], [0.42, 1.0, 0.7864])
    """
    smooth = torch.tanh(z)
    return (z > 0.0).to(z.dtype) + (smooth - smooth.detach())


def surrogate_derivative(z: Tensor) -> Tensor:
    """Return 1 - tanh(z)^2, which stands in for the derivative of the step."""
    return 1.0 - torch.tanh(z) ** 2
