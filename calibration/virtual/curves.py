"""Virtual programming curves: one melting pulse at each current, read once."""

import numpy as np

from pcmsim.calibration.records import ProgrammingCurve
from pcmsim.calibration.virtual.reading import Reader
from pcmsim.config.campaign import CurvePlan
from pcmsim.config.campaign import Instrument as InstrumentPlan
from pcmsim.devices import Values, apply_melt, manufacture
from pcmsim.rng import key, stream


def programming_curve(
    values: Values, plan: CurvePlan, instrument: InstrumentPlan, seed: int
) -> ProgrammingCurve:
    """Sweeps of all devices through rising currents, one sweep after another."""
    n, rng = plan.devices, stream(seed, "curve")
    reader = Reader(values, instrument, key(seed, "curve noise"), stream(seed, "curve reads"))
    state = manufacture(values, (n,), rng, np.float64)
    current_ua = np.linspace(plan.first_ua, plan.last_ua, plan.count)
    now_s, sweeps = 0.0, []
    for _ in range(plan.sweeps):
        reads = []
        for current in current_ua:
            now_s += 2.0 * plan.after_s
            state = apply_melt(values, state, np.full(n, current), None, now_s, rng)
            reads.append(reader.read(state, now_s + plan.after_s))
        sweeps.append(np.array(reads).T)
    return ProgrammingCurve(
        device=np.tile(np.arange(n), plan.sweeps),
        sweep=np.repeat(np.arange(plan.sweeps), n),
        amplitude=current_ua,
        t_s=plan.after_s,
        g=np.concatenate(sweeps),
    )
