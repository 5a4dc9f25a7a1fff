"""The spiking neural unit with an adaptive threshold, `asnu`.

    s_t = g(I_t + decay s_{t-1} (1 - y_{t-1}))
    b_t = rho b_{t-1} + (1 - rho) y_{t-1}
    y_t = h(s_t - (threshold + strength b_t))

Wozniak et al., doi:10.1038/s42256-020-0187-0, with the sign turned: a strength above zero raises
the threshold after a spike.
"""

from torch import Tensor

from pcmsim.networks.surrogate import spike
from pcmsim.networks.units.cell import Decays, State, Unit, activate, traced


def step(state: State, current: Tensor, threshold: Tensor, unit: Unit, decays: Decays) -> State:
    """Return the state after one step with input `current` (batch, units) and `threshold`."""
    decay = decays.membrane_of(unit, current)
    potential = activate(current + decay * state.potential * (1.0 - state.output), unit)
    trace = traced(state, unit, decays)
    limit = threshold + unit.strength * trace
    return State(potential, spike(potential - limit, unit.surrogate), trace)
