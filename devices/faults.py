"""Devices that cannot be programmed: stuck in RESET, stuck in SET, or untunable.

Yields and mechanisms: Le Gallo et al., doi:10.1038/s41928-023-01010-1.
"""

import numpy as np

from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values
from pcmsim.devices.programming import reset_conductance
from pcmsim.devices.state import HEALTHY, STUCK_RESET, STUCK_SET, UNTUNABLE


def draw_faults(
    values: Values, shape: tuple[int, ...], rng: np.random.Generator, dtype: type = np.float32
) -> tuple[np.ndarray, FloatArray]:
    """Fault of each device and the conductance it returns to.

    Stuck RESET: the RESET distribution. Stuck SET: N(mean, std) times g_max. Untunable: uniform
    between zero and g_max. Returns `fault` (int8, `shape`) and `g_fault` [µS], zero where healthy.
    """
    u = rng.random(shape)
    edges = np.cumsum([values.p_stuck_reset, values.p_stuck_set, values.p_untunable])
    fault = np.select(
        [u < edges[0], u < edges[1], u < edges[2]], [STUCK_RESET, STUCK_SET, UNTUNABLE], HEALTHY
    ).astype(np.int8)
    # Drawn for all, so that the chance of a device does not depend on its neighbours' faults.
    xi_set, xi_reset = rng.standard_normal((2, *shape))
    level = rng.random(shape)
    g_fault: FloatArray = np.zeros(shape, dtype)
    in_reset, in_set, loose = (fault == kind for kind in (STUCK_RESET, STUCK_SET, UNTUNABLE))
    g_fault[in_reset] = reset_conductance(values, xi_reset[in_reset])
    g_fault[in_set] = stuck_set_conductance(values, xi_set[in_set])
    g_fault[loose] = level[loose] * values.g_max
    return fault, g_fault


def stuck_set_conductance(values: Values, xi: FloatArray) -> FloatArray:
    """Conductance of devices stuck in SET [µS]: N(mean, std) g_max, not below 0; ξ ~ N(0, 1)."""
    factor = values.stuck_set_mean + values.stuck_set_std * xi
    return np.asarray(np.maximum(0.0, factor) * values.g_max)
