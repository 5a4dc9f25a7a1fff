"""Amplitude of the read noise against conductance, from the noise powers of the levels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import block_diag

from pcmsim.calibration.drift_low import placed
from pcmsim.calibration.law_fits import LawFit, LevelTable
from pcmsim.calibration.regression import Regression, regress
from pcmsim.devices.laws import ClippedPower, FloatArray
from pcmsim.errors import DataError


@dataclass(frozen=True)
class BurstPower:
    """Noise power E[Q² G²] at t0 that repeated reads found [µS²]: its level, value and variance."""

    level: int
    power: float
    variance: float


def fit_noise_law(table: LevelTable, g_max: float, bursts: Sequence[BurstPower] = ()) -> LawFit:
    """Q = min(c g^b, high) from the noise powers w = E[Q² g0²] of all levels.

    The expectation is over the conductances of each level, because Q depends on each device's own.
    `bursts` are powers that repeated reads of other devices found at some of the levels.
    """
    levels = np.arange(table.g_target.size)
    at = np.append(levels, [burst.level for burst in bursts]).astype(int)
    found = np.append(table.theta[:, 2], [burst.power for burst in bursts])
    powers = [np.array([[burst.variance]]) for burst in bursts]
    covariance = block_diag(table.block(2, levels), *powers)
    working = block_diag(table.weights(2, levels), *powers)
    nodes = [
        placed(table.theta[i, 0], table.theta[i, 1], bool(table.g_target[i] == 0.0)) for i in at
    ]
    conductance = np.array([g for g, _ in nodes])
    weights = np.array([w for _, w in nodes])
    g = np.maximum(conductance / g_max, 1e-7)

    def law(theta: FloatArray) -> FloatArray:
        q = np.exp(np.minimum(theta[0] + theta[1] * np.log(g), theta[2]))
        return np.asarray(np.sum(weights * (q * conductance) ** 2, axis=1))

    if np.unique(table.g_target).size < 3:
        raise DataError(
            f"drift: {np.unique(table.g_target).size} levels cannot tell how the read noise "
            f"depends on the conductance; measure three targets or more"
        )
    square = np.sum(weights * conductance**2, axis=1)
    q = np.sqrt(np.maximum(found, 1e-12) / square)
    middle = np.sqrt(square) / g_max
    slope, intercept = np.polyfit(np.log(middle), np.log(q), 1)
    names = ("log_coefficient", "exponent", "log_high")
    start = np.array([intercept, slope, np.log(q.max())])
    regression = regress(law, found, covariance, start, names, table.n, working)
    stderr = np.sqrt(np.diag(covariance)) / (2.0 * q * square)
    return _noise_law(regression, middle, q, stderr)


def _noise_law(
    regression: Regression, g: FloatArray, found: FloatArray, stderr: FloatArray
) -> LawFit:
    """The same with coefficients in place of logarithms."""
    log_c, exponent, log_high = regression.estimate.values
    values = np.array([np.exp(log_c), exponent, np.exp(log_high)])
    slope = np.array([values[0], 1.0, values[2]])
    names = ("coefficient", "exponent", "high")
    covariance = regression.estimate.covariance * np.outer(slope, slope)
    estimate = replace(regression.estimate, names=names, values=values, covariance=covariance)
    lost = tuple(name.removeprefix("log_") for name in regression.unidentified)
    if "high" in lost:  # below the levels that were measured the law stays where they end
        values[2] = float(found.max())
    regression = replace(regression, estimate=estimate, unidentified=lost)
    value = dict(zip(names, (float(v) for v in values), strict=True))
    return LawFit(
        "read_noise", ClippedPower(**value), value, "clipped power", regression, g, found, stderr
    )
