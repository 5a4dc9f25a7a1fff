"""SET increments from staircases: mean and spread against conductance and pulses since RESET."""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.estimate import Estimate, Exclusion
from pcmsim.calibration.noise_model import NoiseModel
from pcmsim.calibration.records import Instrument, SetStaircases
from pcmsim.calibration.staircase_moments import Protocol, StaircaseModel
from pcmsim.calibration.structure import StructureFit, fit_structure
from pcmsim.calibration.tally import FEWEST
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

NAMES = (
    *("mean_slope", "mean_offset", "mean_memory", "std_slope", "std_offset", "std_memory"),
    *("memory_pulses", "set_device_std"),
)
# Of the range of SET pulses: what a device that moves exceeds, and what none exceeds after RESET.
_LOW, _HIGH = 0.1, 0.08
_SCALE = np.array([0.02, 0.2, 0.3, 0.02, 0.1, 0.3, 0.5, 0.05])


@dataclass(frozen=True)
class KnownDevices:
    """What other fits found of the devices, which staircases need.

    nu_reset, nu_set mean drift exponents of RESET devices, and after SET pulses
    """

    t0_s: float
    nu_reset: float
    nu_set: float
    reset_median: float
    reset_log_std: float
    g_min: float
    g_max: float
    noise: NoiseModel


@dataclass(frozen=True)
class StaircaseFit:
    """Increments by SET pulses.

    estimate        m1, c1, A1, m2, c2, A2, α and the device-to-device spread of ln F
    structure       moments of data and model
    regression      the plain regression of increments on conductances, biased; for comparison
    """

    estimate: Estimate
    structure: StructureFit
    protocol: Protocol
    regression: FloatArray
    exclusions: tuple[Exclusion, ...]


def fit_staircase(
    staircases: SetStaircases, instrument: Instrument, known: KnownDevices
) -> StaircaseFit:
    """Fit all pulses of all cycles of the devices together.

    The read noise restarts at every pulse, so that reads of different steps share none; reads of
    one step share what `known.noise` says. The read after RESET is not used. Left out, and
    counted: devices that lack a cycle, and devices that do not move. Raises `DataError` for fewer
    than twenty devices or three pulses.
    """
    rows, exclusions = _rows(staircases, known.g_max)
    pulses, cycles = staircases.g.shape[1] - 1, int(staircases.cycle.max()) + 1
    if rows.shape[0] < FEWEST or pulses < 3:
        raise DataError(
            f"staircase: {rows.shape[0]} devices with {pulses} pulses; {FEWEST} devices and 3 "
            f"pulses are needed"
        )
    protocol = Protocol(
        pulses,
        cycles,
        np.asarray(staircases.read_after_s, dtype=np.float64),
        staircases.interval_s,
        known.t0_s,
        known.nu_reset,
        known.nu_set,
        known.reset_median,
        known.reset_log_std,
        known.g_min,
        known.g_max,
        known.noise,
        instrument.g_variance,
    )
    start = regression(rows, protocol)
    fit = fit_structure(rows, StaircaseModel(protocol), start, NAMES, _SCALE)
    return StaircaseFit(fit.estimate, fit, protocol, start, exclusions)


def regression(rows: FloatArray, protocol: Protocol) -> FloatArray:
    """Least squares of increments on (G, 1, e^(-p/2.5)), and of their spreads less read noise.

    A start, not an estimate: the read error of G is in the increment too, and steps are cut off.
    """
    r = protocol.read_after_s.size
    steps = rows.reshape(-1, protocol.pulses, r)
    present = np.isfinite(steps).sum(axis=2)
    g = np.where(present > 0, np.nansum(steps, axis=2) / np.maximum(present, 1), np.nan)
    pulse = np.arange(2, protocol.pulses + 1)
    memory = np.exp(-pulse / 2.5)
    before, step = g[:, :-1], np.diff(g, axis=1)
    design = np.stack([before, np.ones_like(before), np.broadcast_to(memory, before.shape)], -1)
    use = np.isfinite(step) & np.isfinite(before)
    (m1, c1, a1), *_ = np.linalg.lstsq(design[use], step[use], rcond=None)
    level = np.nanmean(before, axis=0)
    noise = np.mean(protocol.noise.covariance(protocol.read_after_s))
    read = 2.0 * (protocol.noise.q(level) * level) ** 2 * noise
    spread = np.sqrt(np.maximum(np.nanvar(step, axis=0) - read, 0.05))
    columns = np.stack([level, np.ones_like(level), memory], -1)
    (m2, c2, a2), *_ = np.linalg.lstsq(columns, spread, rcond=None)
    return np.array([m1, max(c1, 0.1), a1, m2, max(c2, 0.1), max(a2, 0.1), 2.5, 0.15])


def _rows(staircases: SetStaircases, g_max: float) -> tuple[FloatArray, tuple[Exclusion, ...]]:
    """Reads of all cycles of a device in one row, without those after RESET."""
    cycles = int(staircases.cycle.max()) + 1
    devices, which = np.unique(staircases.device, return_inverse=True)
    n, p, r = devices.size, staircases.g.shape[1] - 1, staircases.g.shape[2]
    rows = np.full((n, cycles, p, r), np.nan)
    rows[which, staircases.cycle] = staircases.g[:, 1:]
    complete = np.bincount(which, minlength=n) == cycles
    highest = np.fmax.reduce(rows.reshape(n, -1), axis=1)
    rest = np.full((n, cycles), np.nan)
    rest[which, staircases.cycle] = np.fmin.reduce(staircases.g[:, 0], axis=1)
    lowest = np.fmin.reduce(rest, axis=1)
    stays_low, stays_high = highest < _LOW * g_max, lowest > _HIGH * g_max
    reasons = (
        ("a cycle is missing", ~complete),
        ("SET pulses do not move the device", complete & stays_low),
        ("RESET does not move the device", complete & stays_high),
    )
    exclusions = tuple(
        Exclusion(
            "staircase", reason, int(mask.sum()), rows=tuple(np.flatnonzero(mask)[:1000].tolist())
        )
        for reason, mask in reasons
        if mask.any()
    )
    use = complete & ~stays_low & ~stays_high
    return rows[use].reshape(int(use.sum()), -1), exclusions
