"""The leaky integrate-and-fire unit, `lif`, which loses its threshold when it has spiked.

    u_t = decay u_{t-1} + (1 - decay) I_t - threshold y_{t-1},    y_t = h(u_t - threshold)

The exact solution of tau du/dt = -u + I for currents that are constant within a step of dt, with
decay = exp(-dt / tau), e.g. Gerstner et al., Neuronal Dynamics (2014), eq. 1.5 ff.
"""

from torch import Tensor

from pcmsim.networks.surrogate import spike
from pcmsim.networks.units.cell import Decays, State, Unit


def step(state: State, current: Tensor, threshold: Tensor, unit: Unit, decays: Decays) -> State:
    """Return the state after one step with input `current` (batch, units) and `threshold`."""
    decay = decays.membrane_of(unit, current)
    kept = decay * state.potential - threshold * state.output
    potential = (1.0 - decay) * current + kept
    return State(potential, spike(potential - threshold, unit.surrogate))
