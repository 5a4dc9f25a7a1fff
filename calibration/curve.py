"""The programming curve: conductance after a melting pulse against its current."""

from dataclasses import dataclass, replace

import numpy as np

from pcmsim.calibration.curve_moments import CurveModel
from pcmsim.calibration.estimate import Estimate, Exclusion
from pcmsim.calibration.noise_model import NoiseModel
from pcmsim.calibration.records import Instrument, ProgrammingCurve
from pcmsim.calibration.structure import StructureFit, fit_structure
from pcmsim.calibration.tally import FEWEST
from pcmsim.devices.laws import FloatArray, Law
from pcmsim.errors import DataError

NAMES = ("top", "half_current_ua", "width_ua", "device_std_ua", "cycle_std", "noise_std_us")
# Of g_max: a device that falls less from the first current to the last does not follow.
_FALLS = 0.25


@dataclass(frozen=True)
class CurveFit:
    """The logistic curve of melting pulses.

    estimate        top [g_max], I_half, w, σ_δ [µA], σ_c [ln G], σ_n [µS]
    structure       moments of data and model
    """

    estimate: Estimate
    structure: StructureFit
    current_ua: FloatArray
    exclusions: tuple[Exclusion, ...]


def fit_curve(
    curve: ProgrammingCurve,
    instrument: Instrument,
    noise: NoiseModel,
    nu_laws: tuple[Law, Law],
    g_max: float,
    t0_s: float,
) -> CurveFit:
    """Fit the melting branch to all sweeps of the devices together.

    `nu_laws` are those of mean and spread of the drift exponent. Left out, and counted: devices
    that do not follow the current, or lack a sweep. Raises `DataError` for amplitudes that are no
    currents, fewer than five currents or twenty devices.
    """
    if curve.unit != "uA":
        raise DataError(f"curve: amplitudes in {curve.unit}; the melting branch needs currents, uA")
    rows, exclusions = _rows(curve, g_max)
    if rows.shape[0] < FEWEST or curve.amplitude.size < 5:
        raise DataError(
            f"curve: {rows.shape[0]} devices at {curve.amplitude.size} currents; {FEWEST} devices "
            f"and 5 currents are needed"
        )
    sweeps = int(curve.sweep.max()) + 1
    model = CurveModel(
        np.asarray(curve.amplitude, dtype=np.float64),
        sweeps,
        curve.t_s,
        t0_s,
        g_max,
        *nu_laws,
        noise,
        instrument.g_variance,
    )
    start = _start(np.nanmean(rows, axis=0)[: curve.amplitude.size], model)
    scale = np.array([1.0, 10.0, 10.0, 10.0, 0.1, 0.1])
    fit = fit_structure(rows, model, start, NAMES, scale)
    # The moments hold squares of the last three; their signs mean nothing.
    values = np.append(fit.estimate.values[:3], np.abs(fit.estimate.values[3:]))
    return CurveFit(replace(fit.estimate, values=values), fit, model.current_ua, exclusions)


def _start(mean: FloatArray, model: CurveModel) -> FloatArray:
    """Straight line through the log odds of the mean curve."""
    top = 1.1 * float(mean.max())
    odds = np.log(np.clip(top / np.maximum(mean, 0.01 * top) - 1.0, 1e-3, 1e3))
    use = (mean > 0.05 * top) & (mean < 0.85 * top)
    if use.sum() < 2:
        raise DataError("curve: the conductance does not fall over the currents; widen the sweep")
    slope, intercept = np.polyfit(model.current_ua[use], odds[use], 1)
    width = 1.0 / max(float(slope), 1e-6)
    return np.array(
        [top / model.g_max, -float(intercept) * width, width, 0.3 * width, 0.1, 0.004 * top]
    )


def _rows(curve: ProgrammingCurve, g_max: float) -> tuple[FloatArray, tuple[Exclusion, ...]]:
    """Reads of all sweeps of a device in one row."""
    sweeps = int(curve.sweep.max()) + 1
    devices, which = np.unique(curve.device, return_inverse=True)
    rows = np.full((devices.size, sweeps, curve.amplitude.size), np.nan)
    rows[which, curve.sweep] = curve.g
    complete = np.bincount(which, minlength=devices.size) == sweeps
    third = max(curve.amplitude.size // 3, 1)
    high = np.fmax.reduce(rows[:, :, :third].reshape(devices.size, -1), axis=1)
    low = np.fmin.reduce(rows[:, :, -third:].reshape(devices.size, -1), axis=1)
    falls = high - low > _FALLS * g_max
    reasons = (
        ("a sweep is missing", ~complete),
        ("the device does not follow the current", complete & ~falls),
    )
    exclusions = tuple(
        Exclusion(
            "curve", reason, int(mask.sum()), rows=tuple(np.flatnonzero(mask)[:1000].tolist())
        )
        for reason, mask in reasons
        if mask.any()
    )
    use = complete & falls
    return rows[use].reshape(int(use.sum()), -1), exclusions
