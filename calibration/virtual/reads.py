"""Virtual repeated reads: many of one device in quick succession."""

import numpy as np

from pcmsim.calibration.records import RepeatedReads
from pcmsim.calibration.virtual.reading import Reader
from pcmsim.calibration.virtual.tuning import tuning_test
from pcmsim.config.campaign import Instrument as InstrumentPlan
from pcmsim.config.campaign import ReadsPlan
from pcmsim.devices import Values, manufacture, program
from pcmsim.rng import key, stream


def repeated_reads(
    values: Values, plan: ReadsPlan, instrument: InstrumentPlan, seed: int
) -> RepeatedReads:
    """Bursts of all levels, on the devices that pass the tuning test."""
    n, g, numbers = plan.devices_per_level, [], []
    t_s = plan.after_s + plan.interval_s * np.arange(plan.count)
    for i, g_target in enumerate(plan.targets):
        rng = stream(seed, "repeated", i)
        reader = Reader(values, instrument, key(seed, "burst noise", i), stream(seed, "bursts", i))
        state = manufacture(values, (n,), rng, np.float64)
        state, works, now_s = tuning_test(values, state, reader, rng)
        state = program(values, state, np.full(n, g_target), now_s, rng)
        burst = np.array([reader.read(state, now_s + t) for t in t_s]).T
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
