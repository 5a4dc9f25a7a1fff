"""Structure function of repeated reads: how far reads part as the time between them grows.

D(τ) = E (y(t+τ) - y(t))² = 2 w Σ σ_k² (1 - exp(-λ_k τ)) + 2 s², which for 1/f noise is
2 w (ln λ_max τ + 0.577) + 2 s²; half of it at one interval is the two-sample (Allan) variance. It
needs no detrending, and missing reads only make it less sure.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.clusters import clustered
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.noise_model import slow_band
from pcmsim.devices.laws import FloatArray


@dataclass(frozen=True)
class StructureFunction:
    """D at each lag, mean over the devices and each device's own.

    lag_s (l,) [s]; mean and stderr (l,) [µS²]; devices (d, l) [µS²]
    """

    lag_s: FloatArray
    mean: FloatArray
    stderr: FloatArray
    devices: FloatArray


def structure_function(g: FloatArray, interval_s: float) -> StructureFunction:
    """D of the records `g` (d, n) [µS] at lags of 1, 2, 4 ... reads, up to a quarter of a record.

    >>> g = np.random.default_rng(0).normal(0.0, 1.0, (50, 400))
    >>> found = structure_function(g, 0.01)
    >>> bool(np.all(np.abs(found.mean - 2.0) < 4 * found.stderr))
    True
    """
    lags = 2 ** np.arange(max(int(np.log2(g.shape[1] / 4)), 0) + 1)
    with np.errstate(invalid="ignore"):
        devices = np.array([np.nanmean((g[:, lag:] - g[:, :-lag]) ** 2, axis=1) for lag in lags]).T
    mean = np.nanmean(devices, axis=0)
    stderr = np.nanstd(devices, axis=0, ddof=1) / np.sqrt(g.shape[0])
    return StructureFunction(lags * interval_s, mean, stderr, devices)


def fit_structure_function(
    found: StructureFunction, device: FloatArray, exponent: float = 1.0
) -> Estimate:
    """Noise power w and white variance s² [µS²] by weighted least squares of D, γ given.

    Errors by the devices, whose numbers are in `device`; the lags of one device depend on each
    other, which weights by the mean ignore and errors include.
    """
    band = slow_band(exponent, 1e-6)
    slow = -np.expm1(-np.outer(found.lag_s, band.rates_per_s)) @ band.stds**2
    design = 2.0 * np.array([slow, np.ones_like(slow)]).T / found.mean[:, None]
    solver = np.linalg.pinv(design)
    theta = solver @ np.ones(found.mean.size)
    influence = (found.devices / found.mean - 1.0) @ solver.T / found.devices.shape[0]
    covariance = clustered([(np.asarray(device), influence)])
    return Estimate(("noise_power", "white_variance"), theta, covariance, found.devices.shape[0])
