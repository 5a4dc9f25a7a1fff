"""How long a relaxing device remembers: correlation of its deviates at different times."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from pcmsim.calibration.clusters import clustered
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.records import IntArray
from pcmsim.devices.laws import FloatArray

# Devices that were read at both times of a pair.
_FEWEST = 20
# Standard errors that the persistence must lie above zero, and that ln memory may have.
_SURE, _LOOSE = 3.0, 2.0


@dataclass(frozen=True)
class Memory:
    """Correlation p x1/x2 with x = ln(1 + t/memory) of the deviates of a device at t1 < t2.

    estimate        `persistence` p and, where it is told, `ln memory`, the memory in seconds
    memory_s        the memory that is used [s]
    t_s             times since the first read [s] (k,)
    found, predicted
                    correlations of the deviates between the times (k, k), NaN if no device has both
    """

    estimate: Estimate
    memory_s: float
    t_s: FloatArray
    found: FloatArray
    predicted: FloatArray


def fit_memory(z: FloatArray, t_s: FloatArray, device: IntArray) -> Memory | None:
    """Least squares on the products of deviates `z` (n, k), NaN where missing.

    Rows belong to the devices `device` (n,); errors are clustered by device. They take the
    deviates for known, which makes them somewhat too long. None if no device was read twice; where
    three pairs of times do not tell both parameters, the memory stays at a tenth of the first time.
    """
    early, late = np.triu_indices(t_s.size, 1)
    products = z[:, early] * z[:, late]
    seen = np.sum(~np.isnan(products), axis=0) > _FEWEST
    if not seen.any():
        return None
    pairs = _Pairs(t_s, early[seen], late[seen], products[:, seen])
    shortest, longest = max(1e-6 * t_s[0], 1e-12), min(1e3 * t_s[-1], 1e12)
    bounds = np.array([[0.0, np.log(shortest)], [1.0, np.log(longest)]])
    start = np.array([0.8, np.log(np.clip(0.1 * t_s[0], 2.0 * shortest, 0.5 * longest))])
    solved = least_squares(pairs.residuals, start, bounds=bounds)
    covariance, n = pairs.covariance(solved.jac, device)
    inside = np.all(np.abs(solved.x - bounds)[:, 1] > 1e-3)
    low, loose = np.sqrt(np.diag(covariance)) * [_SURE, 1.0] - [solved.x[0], _LOOSE]
    if seen.sum() < 3 or not inside or low > 0.0 or loose > 0.0:
        # The memory cannot be told; how much is remembered still can.
        solved = least_squares(
            lambda p: pairs.residuals(np.append(p, start[1])), start[:1], bounds=bounds[:, :1]
        )
        covariance, n = pairs.covariance(solved.jac, device)
    names = ("persistence", "ln memory")[: solved.x.size]
    estimate = Estimate(names, solved.x, covariance, n, bool(solved.success), str(solved.message))
    ln_memory = float(solved.x[1]) if solved.x.size > 1 else float(start[1])
    theta = np.array([solved.x[0], ln_memory])
    found, predicted = (np.full((t_s.size, t_s.size), np.nan) for _ in range(2))
    found[pairs.early, pairs.late] = pairs.found
    predicted[pairs.early, pairs.late] = pairs.model(theta)
    return Memory(estimate, float(np.exp(ln_memory)), t_s, found, predicted)


@dataclass(frozen=True)
class _Pairs:
    """Products of the deviates of two times (n, m), with the numbers of the times (m,)."""

    t_s: FloatArray
    early: IntArray
    late: IntArray
    products: FloatArray

    @property
    def count(self) -> FloatArray:
        return np.asarray(np.sum(~np.isnan(self.products), axis=0))

    @property
    def found(self) -> FloatArray:
        return np.asarray(np.nanmean(self.products, axis=0))

    def model(self, theta: FloatArray) -> FloatArray:
        memory_s = float(np.exp(theta[1]))
        return correlation(float(theta[0]), memory_s, self.t_s[self.early], self.t_s[self.late])

    def residuals(self, theta: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt(self.count) * (self.model(theta) - self.found))

    def covariance(self, jacobian: FloatArray, device: IntArray) -> tuple[FloatArray, int]:
        """Clustered covariance of the parameters, and the number of devices."""
        off = np.nan_to_num(self.products - self.found) / np.sqrt(self.count)
        influence = off @ jacobian @ np.linalg.pinv(jacobian.T @ jacobian)
        numbers, which = np.unique(device, return_inverse=True)
        per_device = np.zeros((numbers.size, influence.shape[1]))
        np.add.at(per_device, which, influence)
        return clustered([(numbers, per_device)]), numbers.size


def correlation(
    persistence: float, memory_s: float, early_s: FloatArray, late_s: FloatArray
) -> FloatArray:
    """p ln(1 + t1/memory) / ln(1 + t2/memory), which random walks in logarithmic time have.

    >>> correlation(0.8, 1e-3, np.array([1.0]), np.array([1e5])).round(3)
    array([0.3])
    """
    return np.asarray(persistence * np.log1p(early_s / memory_s) / np.log1p(late_s / memory_s))
