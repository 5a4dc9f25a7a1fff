"""Virtual closed-loop programming: pulse, verify, correct, and later reads of what was reached.

`pcmsim.devices.write_verify` is the same loop for whole chips: faster, but it keeps no reads, and
its reads know no instrument. Here every verify read goes through the instrument of the campaign
and shares the slow noise of the device with the later reads.
"""

from dataclasses import dataclass, replace

import numpy as np

from pcmsim.calibration.records import ProgrammedLevels
from pcmsim.calibration.virtual.reading import Reader
from pcmsim.config.campaign import Instrument as InstrumentPlan
from pcmsim.config.campaign import LevelsPlan
from pcmsim.devices import (
    ArrayState,
    Values,
    age_s,
    apply_melt,
    manufacture,
    melt_current,
    pulse_model,
)
from pcmsim.devices.laws import FloatArray
from pcmsim.rng import key, stream

# A read that was lost is taken again, this often at most.
_ATTEMPTS = 100


@dataclass(frozen=True)
class Written:
    """Devices after the loop: their state, last verify read [µS], pulses, and last pulse [s]."""

    state: ArrayState
    g_verify: FloatArray
    iterations: np.ndarray
    converged: np.ndarray
    pulse_s: FloatArray


def programmed_levels(
    values: Values, plan: LevelsPlan, instrument: InstrumentPlan, seed: int
) -> ProgrammedLevels:
    """All targets, one after another, each on devices of its own; times from the last pulse."""
    n, levels, reads = plan.devices_per_level, [], []
    for i, g_target in enumerate(plan.targets):
        rng = stream(seed, "levels", i)
        reader = Reader(
            values, instrument, key(seed, "level noise", i), stream(seed, "level reads", i)
        )
        state = manufacture(values, (n,), rng, np.float64)
        levels.append(closed_loop(values, plan, state, g_target, reader, rng))
        reads.append(later_reads(levels[-1], reader, plan.read_after_s))
    count = len(plan.targets)
    return ProgrammedLevels(
        device=np.arange(n * count),
        g_target=np.repeat(np.asarray(plan.targets, dtype=np.float64), n),
        iterations=np.concatenate([level.iterations for level in levels]),
        converged=np.concatenate([level.converged for level in levels]).astype(np.int64),
        tolerance=plan.tolerance_us,
        verify_after_s=plan.verify_after_s,
        g_verify=np.concatenate([level.g_verify for level in levels]),
        read_after_s=np.asarray(plan.read_after_s, dtype=np.float64),
        g=np.concatenate(reads),
    )


def closed_loop(
    values: Values,
    plan: LevelsPlan,
    state: ArrayState,
    g_target: float,
    reader: Reader,
    rng: np.random.Generator,
) -> Written:
    """Program all devices to `g_target` [µS] as the verify read shall show it.

    The first current, and dG/dI, are those of the median device at the age of the verify read, as
    in a programming curve that was measured at this age.
    """
    curve, shape = pulse_model(values).melt_curve, state.shape
    aim, decay = _aim(values, g_target, plan.verify_after_s)
    current = melt_current(values, np.full(shape, aim))
    slope = -aim * (1.0 - aim / (curve.top * values.g_max)) / curve.width_ua * decay
    g_verify, pulse_s = np.full(shape, np.nan), np.zeros(shape)
    iterations, active = np.zeros(shape, np.int64), np.ones(shape, np.bool_)
    now_s = 0.0
    for k in range(1, plan.max_iterations + 1):
        now_s += 2.0 * plan.verify_after_s
        state = apply_melt(values, state, current, active, now_s, rng)
        read = _certain(reader, state, now_s + plan.verify_after_s)
        g_verify, pulse_s = np.where(active, read, g_verify), np.where(active, now_s, pulse_s)
        iterations[active] = k
        error = g_verify - g_target
        active = active & (np.abs(error) > plan.tolerance_us)
        if not active.any():
            break
        current = current - np.where(active, plan.gain * error / slope, 0.0)
        current = np.clip(current, curve.min_current_ua, curve.max_current_ua)
    return Written(state, g_verify, iterations, ~active, pulse_s)


def later_reads(written: Written, reader: Reader, read_after_s: tuple[float, ...]) -> FloatArray:
    """Reads of each device `read_after_s` after its own last pulse [µS] (n, r)."""
    g = np.full((written.g_verify.size, len(read_after_s)), np.nan)
    for pulse_s in np.unique(written.pulse_s):
        # For those that were done at once; all others are as if they had been, and are not kept.
        state, rows = replace(written.state, programmed_at_s=float(pulse_s)), written.pulse_s
        for j, after_s in enumerate(read_after_s):
            read = reader.read(state, pulse_s + after_s)
            g[rows == pulse_s, j] = read[rows == pulse_s]
    return g


def _aim(values: Values, g_target: float, after_s: float) -> tuple[float, float]:
    """Conductance at t0 [µS] of the mean device that reads `g_target` then, and their ratio."""
    log_age, aim = float(np.log(age_s(values, after_s) / values.t0_s)), g_target
    for _ in range(20):
        nu = float(values.nu_mean(np.array(aim / values.g_max))) * values.projection
        aim = g_target * float(np.exp(nu * log_age))
    return aim, g_target / aim


def _certain(reader: Reader, state: ArrayState, now_s: float) -> FloatArray:
    """A read of each device [µS], taken again where the sample was lost."""
    g = reader.read(state, now_s)
    for _ in range(_ATTEMPTS):
        if not np.isnan(g).any():
            break
        g = np.where(np.isnan(g), reader.read(state, now_s), g)
    return g
