"""The test that tells working devices from others, as a lab can make it."""

import numpy as np

from pcmsim.calibration.virtual.reading import Reader
from pcmsim.devices import ArrayState, Values, program
from pcmsim.devices.laws import FloatArray

# A working device moves by this share of g_max between RESET and the largest target.
_MOVES = 0.25


def tuning_test(
    values: Values, state: ArrayState, reader: Reader, rng: np.random.Generator
) -> tuple[ArrayState, FloatArray, float]:
    """Whether each device follows from RESET to g_max; state and clock [s] after the test."""
    low = _certain(reader, state, 20.0)
    state = program(values, state, np.full(state.shape, values.g_max), 100.0, rng)
    high = _certain(reader, state, 120.0)
    return state, high - low > _MOVES * values.g_max, 200.0


def _certain(reader: Reader, state: ArrayState, now_s: float) -> FloatArray:
    """A read of each device [µS], taken again where the sample was lost."""
    g = reader.read(state, now_s)
    for attempt in range(1, 100):
        lost = np.isnan(g)
        if not lost.any():
            break
        g = np.where(lost, reader.read(state, now_s + 0.1 * attempt), g)
    return np.nan_to_num(g)
