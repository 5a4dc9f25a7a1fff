"""Virtual drift traces: program, read at log-spaced times, program again."""

from collections.abc import Iterator

import numpy as np

from pcmsim.calibration.records import DriftTraces
from pcmsim.calibration.virtual.reading import Reader
from pcmsim.calibration.virtual.tuning import tuning_test
from pcmsim.config.campaign import DriftPlan
from pcmsim.config.campaign import Instrument as InstrumentPlan
from pcmsim.devices import Values, manufacture, program
from pcmsim.rng import key, stream


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
        state, works, now_s = tuning_test(values, state, reader, rng)
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
