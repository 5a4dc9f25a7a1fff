"""How long a relaxing device remembers: correlation of its deviates at different times."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from pcmsim.calibration.clusters import clustered
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.records import IntArray
from pcmsim.devices.laws import FloatArray


@dataclass(frozen=True)
class Memory:
    """Correlation p x1/x2 with x = ln(1 + t/memory) of the deviates of a device at t1 < t2.

    estimate        `persistence` p and `ln memory`, the memory in seconds
    t_s             times since the first read [s] (k,)
    found, predicted
                    correlations of the deviates between the times (k, k), NaN if no device has both
    """

    estimate: Estimate
    t_s: FloatArray
    found: FloatArray
    predicted: FloatArray


def fit_memory(z: FloatArray, t_s: FloatArray, device: IntArray) -> Memory | None:
    """Least squares on the products of deviates `z` (n, k), NaN where missing; None for k < 3.

    Rows belong to the devices `device` (n,); errors are clustered by device.
    """
    if t_s.size < 3:
        return None
    early, late = np.triu_indices(t_s.size, 1)
    products = z[:, early] * z[:, late]
    present = ~np.isnan(products)
    count = present.sum(axis=0)
    seen = count > 1
    early, late, products, present, count = (
        early[seen], late[seen], products[:, seen], present[:, seen], count[seen],
    )  # fmt: skip
    found = np.where(present, products, 0.0).sum(axis=0) / count

    def model(theta: FloatArray) -> FloatArray:
        return correlation(theta[0], float(np.exp(theta[1])), t_s[early], t_s[late])

    start = np.array([0.8, np.log(0.1 * t_s[0])])
    bounds = ([0.0, np.log(1e-6 * t_s[0])], [1.0, np.log(1e3 * t_s[-1])])
    root = np.sqrt(count)
    solved = least_squares(lambda theta: root * (model(theta) - found), start, bounds=bounds)
    influence = _influence(solved.jac, root, np.where(present, products - found, 0.0) / count)
    numbers, which = np.unique(device, return_inverse=True)
    per_device = np.zeros((numbers.size, 2))
    np.add.at(per_device, which, influence)
    estimate = Estimate(
        ("persistence", "ln memory"),
        solved.x,
        clustered([(numbers, per_device)]),
        numbers.size,
        bool(solved.success),
        str(solved.message),
    )
    full = [np.full((t_s.size, t_s.size), np.nan) for _ in range(2)]
    for matrix, values in zip(full, (found, model(solved.x)), strict=True):
        matrix[early, late] = values
    return Memory(estimate, t_s, *full)


def correlation(
    persistence: float, memory_s: float, early_s: FloatArray, late_s: FloatArray
) -> FloatArray:
    """p ln(1 + t1/memory) / ln(1 + t2/memory), which random walks in logarithmic time have.

    >>> correlation(0.8, 1e-3, np.array([1.0]), np.array([1e5])).round(3)
    array([0.3])
    """
    return np.asarray(persistence * np.log1p(early_s / memory_s) / np.log1p(late_s / memory_s))


def _influence(jacobian: FloatArray, root: FloatArray, residual: FloatArray) -> FloatArray:
    """What each row adds to the error of θ (n, 2)."""
    bread = np.linalg.pinv(jacobian.T @ jacobian)
    return np.asarray((residual * root) @ jacobian @ bread)
