"""The spiking neural unit, `snu`, and the soft one, `ssnu`.

    s_t = g(I_t + decay s_{t-1} (1 - y_{t-1})),    y_t = h(s_t - threshold)

h is the step in the spiking unit and the logistic function in the soft one. Wozniak et al.,
doi:10.1038/s42256-020-0187-0 (arXiv:1812.07040).
"""

import torch
from torch import Tensor

from pcmsim.networks.surrogate import spike
from pcmsim.networks.units.cell import Decays, State, Unit, activate


def step(state: State, current: Tensor, threshold: Tensor, unit: Unit, decays: Decays) -> State:
    """Return the state after one step with input `current` (batch, units) and `threshold`."""
    decay = decays.membrane_of(unit, current)
    potential = activate(current + decay * state.potential * (1.0 - state.output), unit)
    distance = potential - threshold
    output = torch.sigmoid(distance) if unit.soft else spike(distance, unit.surrogate)
    return State(potential, output)
