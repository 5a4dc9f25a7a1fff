"""A virtual yield map: every device of an array in RESET, and programmed to g_max."""

import numpy as np

from pcmsim.calibration.records import UNKNOWN, YieldMap
from pcmsim.calibration.virtual.reading import Reader
from pcmsim.config.campaign import Instrument as InstrumentPlan
from pcmsim.config.campaign import YieldPlan
from pcmsim.devices import Values, manufacture, program
from pcmsim.rng import key, stream


def yield_map(values: Values, plan: YieldPlan, instrument: InstrumentPlan, seed: int) -> YieldMap:
    """Lowest and highest conductance of each device; the tester gives no verdicts."""
    n = plan.rows * plan.columns
    rng = stream(seed, "yield")
    reader = Reader(values, instrument, key(seed, "yield noise"), stream(seed, "yield reads"))
    state = manufacture(values, (n,), rng, np.float64)
    g_min = reader.read(state, plan.after_s)
    now_s = 2.0 * plan.after_s
    state = program(values, state, np.full(n, values.g_max), now_s, rng)
    g_max = reader.read(state, now_s + plan.after_s)
    number = np.arange(n)
    row, column = number // plan.columns, number % plan.columns
    return YieldMap(number, row, column, g_min, g_max, np.full(n, UNKNOWN))
