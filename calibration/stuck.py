"""Drift of devices that are stuck in SET, which traces of every level contain by accident."""

from collections.abc import Iterable, Iterator

import numpy as np

from pcmsim.calibration.drift_model import LevelModel
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.noise_model import spectrum_covariance
from pcmsim.calibration.records import DriftTraces, Instrument
from pcmsim.calibration.structure import fit_structure
from pcmsim.calibration.tally import FEWEST
from pcmsim.devices.laws import FloatArray

# Of g_max, for the mean of all reads: what works or cannot be tuned has drifted below. One read
# would pick devices by its noise, which then seems to decay.
_ABOVE = 0.92


def fit_stuck_exponent(
    parts: Iterable[DriftTraces], instrument: Instrument, g_max: float, t0_s: float, gamma: float
) -> Estimate | None:
    """Drift exponent of devices stuck in SET; None if fewer than twenty are found.

    They are the devices that did not converge and whose reads are 0.92 `g_max` [µS] or more in the
    mean.
    """
    rows: list[FloatArray] = []
    t_s = np.empty(0)
    for part in parts:
        t_s = np.asarray(part.t_s, dtype=np.float64)
        rows.extend(_stuck(part, g_max))
    if len(rows) < FEWEST:
        return None
    g = np.array(rows)
    noise = spectrum_covariance(t_s, gamma, instrument.t_read_s)
    model = LevelModel(np.log(t_s / t0_s), noise, instrument.g_variance)
    m, v, w, mu = _start(g, np.log(t_s / t0_s))
    fit = fit_structure(
        g,
        lambda theta: model(np.append(theta, 0.0)),
        np.array([m, v, w, mu]),
        ("g", "g_variance", "noise_power", "stuck_set_nu"),
        np.array([m, v, w, 0.01]),
    )
    return fit.estimate.only(("stuck_set_nu",))


def _stuck(part: DriftTraces, g_max: float) -> Iterator[FloatArray]:
    failed = ~np.asarray(part.converged, dtype=bool)
    present = np.isfinite(part.g)
    mean = np.where(present, part.g, 0.0).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    high = failed & (mean > _ABOVE * g_max)
    yield from np.asarray(part.g[high], dtype=np.float64)


def _start(g: FloatArray, x: FloatArray) -> tuple[float, float, float, float]:
    mean = np.nanmean(g, axis=0)
    slope, intercept = np.polyfit(x, np.log(mean), 1)
    m = float(np.exp(intercept))
    noise = float(np.nanmean(np.diff(g, axis=1) ** 2)) / 2.0
    return m, float(np.nanvar(g[:, 0])), max(noise, 1e-9) / 20.0, -float(slope)
