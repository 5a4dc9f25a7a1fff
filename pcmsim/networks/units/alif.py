"""The leaky integrate-and-fire unit with an adaptive threshold, `alif`.

    b_t = rho b_{t-1} + (1 - rho) y_{t-1},    B_t = threshold + strength b_t
    u_t = decay u_{t-1} + (1 - decay) I_t - B_t y_{t-1},    y_t = h(u_t - B_t)

Yin, Corradi and Bohte, Nat. Mach. Intell. 3, 905 (2021), arXiv:2103.12593.
"""

from torch import Tensor

from pcmsim.networks.surrogate import spike
from pcmsim.networks.units.cell import Decays, State, Unit, traced


def step(state: State, current: Tensor, threshold: Tensor, unit: Unit, decays: Decays) -> State:
    """Return the state after one step with input `current` (batch, units) and `threshold`."""
    decay = decays.membrane_of(unit, current)
    trace = traced(state, unit, decays)
    limit = threshold + unit.strength * trace
    kept = decay * state.potential - limit * state.output
    potential = (1.0 - decay) * current + kept
    return State(potential, spike(potential - limit, unit.surrogate), trace)
