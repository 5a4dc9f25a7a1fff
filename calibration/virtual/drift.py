"""Virtual drift traces: program, read at log-spaced times, program again."""

from collections.abc import Iterator

import numpy as np

from pcmsim.calibration.records import DriftTraces
from pcmsim.calibration.virtual.reading import Reader
from pcmsim.config.campaign import DriftPlan
from pcmsim.config.campaign import Instrument as InstrumentPlan
from pcmsim.devices import ArrayState, Values, manufacture, program
from pcmsim.devices.laws import FloatArray
from pcmsim.rng import key, stream

# A working device moves by this share of g_max between RESET and the largest target.
_MOVES = 0.25


def drift_parts(
    values: Values, plan: DriftPlan, instrument: InstrumentPlan, seed: int
) -> Iterator[DriftTraces]:
    """Traces of one level after another, all programmings of its devices in one part."""
    n = plan.devices_per_level
    t_s = np.geomspace(plan.times.first_s, plan.times.last_s, plan.times.count)
    for i, g_target in enumerate(plan.targets):
        rng = stream(seed, "drift", i)
        reader = Reader(values, instrument, key(seed, "drift noise", i), stream(seed, "reads", i))
        state = manufacture(values, (n,), rng, np.float64)
        state, works, now_s = _tuning_test(values, state, reader, rng)
        traces = []
        for _ in range(plan.programmings):
            state = program(values, state, np.full(n, g_target), now_s, rng)
            traces.append(np.array([reader.read(state, now_s + t) for t in t_s]).T)
            now_s += 1.01 * t_s[-1]
        programmings = np.arange(plan.programmings)
        yield DriftTraces(
            device=np.tile(i * n + np.arange(n), plan.programmings),
            programming=np.repeat(programmings, n),
            g_target=np.full(n * plan.programmings, g_target),
            converged=np.tile(works, plan.programmings),
            t_s=t_s,
            g=np.concatenate(traces),
        )


def _tuning_test(
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
