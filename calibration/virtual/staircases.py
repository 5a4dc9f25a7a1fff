"""Virtual SET staircases: RESET, then single SET pulses, each read a few times."""

import numpy as np

from pcmsim.calibration.records import DriftTraces, SetStaircases
from pcmsim.calibration.virtual.reading import Reader
from pcmsim.config.campaign import Instrument as InstrumentPlan
from pcmsim.config.campaign import SetDriftPlan, StaircasePlan
from pcmsim.devices import ArrayState, Values, apply_reset, apply_set, manufacture
from pcmsim.devices.laws import FloatArray
from pcmsim.rng import key, stream


def set_staircases(
    values: Values, plan: StaircasePlan, instrument: InstrumentPlan, seed: int
) -> SetStaircases:
    """Staircases of all devices, one cycle after another."""
    n, rng = plan.devices, stream(seed, "staircase")
    reader = Reader(
        values, instrument, key(seed, "staircase noise"), stream(seed, "staircase reads")
    )
    state = manufacture(values, (n,), rng, np.float64)
    now_s = 0.0
    cycles: list[FloatArray] = []
    for _ in range(plan.cycles):
        state, steps = apply_reset(values, state, None, now_s, rng), []
        for pulse in range(plan.pulses + 1):
            if pulse:
                state = apply_set(values, state, np.ones(n, np.int64), now_s, rng)
            steps.append([reader.read(state, now_s + t) for t in plan.read_after_s])
            now_s += plan.interval_s
        cycles.append(np.moveaxis(np.array(steps), 2, 0))
    return SetStaircases(
        device=np.tile(np.arange(n), plan.cycles),
        cycle=np.repeat(np.arange(plan.cycles), n),
        read_after_s=np.asarray(plan.read_after_s, dtype=np.float64),
        interval_s=plan.interval_s,
        g=np.concatenate(cycles),
    )


def set_drift(
    values: Values, plan: SetDriftPlan, instrument: InstrumentPlan, seed: int
) -> DriftTraces:
    """Drift traces of devices that a few SET pulses brought up from RESET."""
    n, rng = plan.devices, stream(seed, "set drift")
    reader = Reader(
        values, instrument, key(seed, "set drift noise"), stream(seed, "set drift reads")
    )
    state = manufacture(values, (n,), rng, np.float64)
    state, now_s = _climbed(values, state, plan, rng)
    t_s = np.geomspace(plan.times.first_s, plan.times.last_s, plan.times.count)
    g = np.array([reader.read(state, now_s + t) for t in t_s]).T
    early = np.fmax.reduce(g[:, :5], axis=1)
    moved, stuck = early > 0.02 * values.g_max, early > 0.95 * values.g_max
    zero = np.zeros(n)
    return DriftTraces(np.arange(n), np.zeros(n, np.int64), zero, moved & ~stuck, t_s, g)


def _climbed(
    values: Values, state: ArrayState, plan: SetDriftPlan, rng: np.random.Generator
) -> tuple[ArrayState, float]:
    """State after the pulses, and the clock time of the last [s]."""
    now_s, ones = 0.0, np.ones(state.shape, np.int64)
    state = apply_reset(values, state, None, now_s, rng)
    for _ in range(plan.pulses):
        now_s += plan.interval_s
        state = apply_set(values, state, ones, now_s, rng)
    return state, now_s
