"""The spiking neural unit with lateral inhibition, `li_snu`: one spike resets the whole layer.

    s_t = g(I_t + decay s_{t-1} (1 - max_j y_{j,t-1})),    y_t = h(s_t - threshold)

The maximum is over the units of the layer and of the same sample; its gradient goes in even parts
to all units that reach it. Wozniak et al., doi:10.1038/s42256-020-0187-0; the code published with
it takes the maximum over the whole batch.
"""

from torch import Tensor

from pcmsim.networks.surrogate import spike
from pcmsim.networks.units.cell import Decays, State, Unit, activate


def step(state: State, current: Tensor, threshold: Tensor, unit: Unit, decays: Decays) -> State:
    """Return the state after one step with input `current` (batch, units) and `threshold`."""
    decay = decays.membrane_of(unit, current)
    kept = 1.0 - state.output.amax(-1, keepdim=True)
    potential = activate(current + decay * state.potential * kept, unit)
    return State(potential, spike(potential - threshold, unit.surrogate))
