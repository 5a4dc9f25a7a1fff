"""What a layer of spiking units is made of: its kind, its state, the decays that it trains."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from pcmsim.config import Surrogate, Tanh

SLOPES = {"identity": 1.0, "relu": 0.0, "leaky_relu": 0.1}
TANH = Tanh()


@dataclass(frozen=True)
class Unit:
    """What all units of a layer share.

    `decay` and `adaptation_decay` are those of units that train none of their own (see `Decays`);
    `surrogate` stands in for the derivative of the step; `strength` is that of the adaptation.
    """

    kind: Literal["snu", "ssnu", "li_snu", "asnu", "lif", "alif"]
    decay: float = 0.0
    activation: Literal["identity", "relu", "leaky_relu"] = "identity"
    surrogate: Surrogate = TANH
    strength: float = 0.0
    adaptation_decay: float = 0.0

    @property
    def soft(self) -> bool:
        """Whether the output is the logistic function instead of the step."""
        return self.kind == "ssnu"

    @property
    def adapts(self) -> bool:
        """Whether the threshold rises with a trace of the spikes."""
        return self.kind in ("asnu", "alif")

    @property
    def slope(self) -> float:
        """Slope of g at and below zero; above zero it is one."""
        return SLOPES[self.activation]


@dataclass(frozen=True)
class State:
    """Membrane potential s, output y and trace b of a layer, each of shape (batch, units).

    b is None where nothing adapts, or has yet.
    """

    potential: Tensor
    output: Tensor
    adaptation: Tensor | None = None


class Decays(NamedTuple):
    """Decays of each unit (units,), of its potential and its trace; None: those of `Unit`."""

    membrane: Tensor | None = None
    adaptation: Tensor | None = None

    def membrane_of(self, unit: Unit, like: Tensor) -> Tensor:
        """Decay of the potential as a tensor of the precision of `like`."""
        return like.new_tensor(unit.decay) if self.membrane is None else self.membrane

    def adaptation_of(self, unit: Unit, like: Tensor) -> Tensor:
        """Decay of the trace as a tensor of the precision of `like`."""
        return (
            like.new_tensor(unit.adaptation_decay) if self.adaptation is None else self.adaptation
        )


FIXED = Decays()


def activate(u: Tensor, unit: Unit) -> Tensor:
    """Return g(u): u where it is positive, `unit.slope` times u elsewhere."""
    if unit.activation == "identity":
        return u
    if unit.activation == "relu":
        return torch.relu(u)
    return torch.nn.functional.leaky_relu(u, unit.slope)


def traced(state: State, unit: Unit, decays: Decays) -> Tensor:
    """Return the trace of the next step, b_t = rho b_{t-1} + (1 - rho) y_{t-1}."""
    rho = decays.adaptation_of(unit, state.output)
    before = torch.zeros_like(state.output) if state.adaptation is None else state.adaptation
    return rho * before + (1.0 - rho) * state.output
