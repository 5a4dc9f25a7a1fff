"""A spiking unit as a pure function of its state: one step in time.

A unit integrates its input current I_t = W x_t (+ H y_{t-1}) into a membrane potential and answers
with an output. The equations of each kind stand in `pcmsim.networks.units`; everything there is
dimensionless.
"""

import torch
from torch import Tensor

from pcmsim.config import Network, Tanh
from pcmsim.networks.surrogate import spike, surrogate_derivative
from pcmsim.networks.units import alif, asnu, li_snu, lif, snu
from pcmsim.networks.units.cell import FIXED, Decays, State, Unit

__all__ = [
    "FIXED",
    "Decays",
    "State",
    "Unit",
    "rest",
    "spike",
    "step",
    "surrogate_derivative",
    "unit_of",
]

_STEPS = {
    "snu": snu.step,
    "ssnu": snu.step,
    "li_snu": li_snu.step,
    "asnu": asnu.step,
    "lif": lif.step,
    "alif": alif.step,
}


def unit_of(spec: Network) -> Unit:
    """Return the unit that a network's configuration asks for."""
    adaptation = spec.adaptation
    return Unit(
        spec.unit,
        spec.decay or 0.0,
        spec.activation,
        spec.surrogate or Tanh(),
        0.0 if adaptation is None else adaptation.strength,
        0.0 if adaptation is None else adaptation.decay or 0.0,
    )


def rest(like: Tensor) -> State:
    """Return the state before the first step: potential and output zero, shaped as `like`."""
    zeros = torch.zeros_like(like)
    return State(zeros, zeros)


def step(
    state: State, current: Tensor, threshold: Tensor, unit: Unit, decays: Decays = FIXED
) -> State:
    """Return the state after one step with input `current` (batch, units) and `threshold` (units,).

    A unit that has spiked keeps nothing of its potential:

    >>> one = torch.ones(1)
    >>> fired = step(State(one, one), 0.0 * one, one, Unit("snu", decay=0.8))
    >>> quiet = step(State(one, 0.0 * one), 0.0 * one, one, Unit("snu", decay=0.8))
    >>> fired.potential.item(), round(quiet.potential.item(), 6)
    (0.0, 0.8)
    """
    return _STEPS[unit.kind](state, current, threshold, unit, decays)
