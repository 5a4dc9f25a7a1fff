"""Wear: each melt moves atoms, and after some 1e8 of them the device is stuck.

The number of RESETs a device survives follows a Weibull law. Most cells that failed by cycling
were stuck in SET, their plug segregated into its elements; so that is what a worn device is here,
with the conductance and exponent of other stuck-SET devices. Kim et al., "Phase-change memory
cycling endurance", MRS Bulletin, 2019.
"""

from dataclasses import replace

import numpy as np

from pcmsim.devices.faults import stuck_set_conductance
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.noise import noise_amplitude
from pcmsim.devices.params import Values
from pcmsim.devices.state import HEALTHY, STUCK_SET, ArrayState
from pcmsim.devices.writing import put

# Of devices in a set that knows no wear; finite, so that it can be stored like other numbers.
NEVER = float(np.finfo(np.float32).max)


def draw_lifetime(values: Values, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """RESETs that each device survives (float32): P(N > n) = exp(-(n / scale)^shape)."""
    if values.wear_shape is None or values.wear_scale is None:
        return np.full(shape, NEVER, np.float32)
    return (values.wear_scale * rng.weibull(values.wear_shape, shape)).astype(np.float32)


def wear_out(values: Values, state: ArrayState, rng: np.random.Generator) -> ArrayState:
    """The state in which healthy devices with more resets than their lifetime are stuck in SET.

    Draws from `rng` only if there are any.
    """
    at = np.flatnonzero((state.resets > state.lifetime) & (state.fault == HEALTHY))
    if at.size == 0:
        return state
    g = stuck_set_conductance(values, rng.standard_normal(at.size)).astype(state.g.dtype)
    return replace(
        state,
        g=put(state.g, at, g),
        nu=put(state.nu, at, values.stuck_set_nu),
        noise=put(state.noise, at, noise_amplitude(values, g)),
        fault=put(state.fault, at, STUCK_SET),
        g_fault=put(state.g_fault, at, g),
    )
