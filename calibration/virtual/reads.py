"""Virtual repeated reads: many of one device in quick succession."""

import numpy as np

from pcmsim.calibration.records import RepeatedReads
from pcmsim.calibration.virtual.reading import Reader
from pcmsim.config.campaign import Instrument as InstrumentPlan
from pcmsim.config.campaign import ReadsPlan
from pcmsim.devices import Values, manufacture, program
from pcmsim.devices.state import HEALTHY
from pcmsim.rng import key, stream


def repeated_reads(
    values: Values, plan: ReadsPlan, instrument: InstrumentPlan, seed: int
) -> RepeatedReads:
    """Bursts of all levels, on working devices."""
    n, g, numbers = plan.devices_per_level, [], []
    t_s = plan.after_s + plan.interval_s * np.arange(plan.count)
    for i, g_target in enumerate(plan.targets):
        rng = stream(seed, "repeated", i)
        reader = Reader(values, instrument, key(seed, "burst noise", i), stream(seed, "bursts", i))
        state = manufacture(values, (n,), rng, np.float64)
        state = program(values, state, np.full(n, g_target), 0.0, rng)
        burst = np.array([reader.read(state, t) for t in t_s]).T
        works = state.fault == HEALTHY
        g.append(burst[works])
        numbers.append(i * n + np.flatnonzero(works))
    lengths = [len(part) for part in numbers]
    return RepeatedReads(
        device=np.concatenate(numbers),
        g_target=np.repeat(np.asarray(plan.targets, dtype=np.float64), lengths),
        t_s=np.full(sum(lengths), plan.after_s),
        interval_s=plan.interval_s,
        g=np.concatenate(g),
    )
