"""Drift exponent of what SET pulses built up."""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.drift_model import LevelModel
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.noise_model import spectrum_covariance
from pcmsim.calibration.records import DriftTraces, Instrument
from pcmsim.calibration.structure import StructureFit, fit_structure
from pcmsim.calibration.tally import FEWEST
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError


@dataclass(frozen=True)
class SetDriftFit:
    """Drift after SET pulses: times of the reads [s], and moments of data and model."""

    t_s: FloatArray
    structure: StructureFit

    @property
    def estimate(self) -> Estimate:
        """Mean and variance of the exponent."""
        return self.structure.estimate.only(("set_nu_mean", "set_nu_variance"))


def fit_set_drift(
    traces: DriftTraces, instrument: Instrument, t0_s: float, gamma: float
) -> SetDriftFit:
    """Mean and variance of the drift exponent after SET pulses from RESET.

    The exponent of such devices does not depend on their conductance, which spreads widely; the
    moments of `pcmsim.calibration.drift_model` hold for any distribution of it. Devices that did
    not converge are left out. Raises `DataError` for fewer than twenty.
    """
    rows = np.asarray(traces.g, dtype=np.float64)[np.asarray(traces.converged, dtype=bool)]
    rows = rows[~np.isnan(rows).all(axis=1)]
    if rows.shape[0] < FEWEST:
        raise DataError(f"set_drift: {rows.shape[0]} devices; {FEWEST} are needed")
    log_age = np.log(np.asarray(traces.t_s) / t0_s)
    noise = spectrum_covariance(traces.t_s, gamma, instrument.t_read_s)
    model = LevelModel(log_age, noise, instrument.g_variance)
    mean = np.nanmean(rows, axis=0)
    slope, intercept = np.polyfit(log_age, np.log(mean), 1)
    m, v = float(np.exp(intercept)), float(np.nanvar(rows[:, 0]))
    start = np.array([m, v, 0.01 * np.mean(noise) ** -1 * m**2, -float(slope), 1e-4])
    names = ("g_mean", "g_variance", "noise_power", "set_nu_mean", "set_nu_variance")
    scale = np.array([m, v, 1e-3 * m**2, 0.05, 1e-3])
    fit = fit_structure(rows, model, start, names, scale)
    return SetDriftFit(np.asarray(traces.t_s, dtype=np.float64), fit)
