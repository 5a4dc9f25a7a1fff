"""Errors of a straight line with flat ends, where the levels do not tell on which side they lie.

Through levels that lie near a kink the fitted line jumps between two solutions: the level belongs
to the flat end in one and to the slope in the other. Derivatives know only the solution that was
found, and the errors they give are short. So levels are drawn again from the law that was found,
with the covariance of the estimates, and the law is fitted to each draw, with every choice of
sides. Given the sides the fit is linear, hence hundreds of draws take a few milliseconds.
Kinks: Feder, Annals of Statistics 3, 49 (1975), doi:10.1214/aos/1176342999.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pcmsim.calibration.regression import Regression
from pcmsim.devices.laws import FloatArray
from pcmsim.rng import stream

DRAWS = 200


def with_kinks(
    found: Regression, g: FloatArray, covariance: FloatArray, weights: FloatArray, power: int
) -> Regression:
    """A fit of clip(slope ln g + intercept, low, high)^power with errors that know of the kinks.

    `covariance` (n, n) is that of the estimates at `g` = G/g_max, `weights` (n, n) what the fit
    weighted by. Fits that leave a flat end open, and laws that rise, keep their errors.
    """
    theta, x = found.estimate.values, np.log(np.maximum(g, 1e-7))
    law = np.clip(theta[0] * x + theta[1], theta[2], theta[3])
    if found.unidentified or np.any(law <= 0.0):
        return found
    slope = np.ones_like(law) if power == 1 else 0.5 / law  # of a spread by its square
    block, variances = covariance * np.outer(slope, slope), np.diag(weights) * slope**2
    errors = kink_covariance(x, theta, block, variances)
    if errors is None:
        return found
    return replace(found, estimate=replace(found.estimate, covariance=errors))


def kink_covariance(
    x: FloatArray, theta: FloatArray, covariance: FloatArray, variances: FloatArray
) -> FloatArray | None:
    """Covariance of θ = (slope, intercept, low, high) of clip(slope x + intercept, low, high).

    `x` of each level (n,); `theta` the fit (4,), about which mean squares are taken; `covariance`
    of the levels (n, n); `variances` that the fit weights by (n,). None where the line does not
    fall, or falls in less than nine of ten draws.

    >>> x = np.arange(-6.0, 0.0)
    >>> errors = kink_covariance(x, np.array([-1.0, 0.0, 1.5, 4.5]), 1e-4 * np.eye(6), np.ones(6))
    >>> np.sqrt(np.diag(errors)).round(2)  # the flat ends are means of two levels
    array([0.01, 0.02, 0.01, 0.01])
    """
    if theta[0] >= 0.0:
        return None
    order = np.argsort(x)
    x, root = x[order], np.linalg.cholesky(covariance)[order]
    normal = stream(0, "kinks").standard_normal((DRAWS, x.size))
    drawn = _clipped(theta[None], x) + normal @ root.T
    best, found = np.full(DRAWS, np.inf), np.zeros((DRAWS, 4))
    weight = 1.0 / np.sqrt(variances[order])
    for design, full in _sides(x):
        gain = np.linalg.pinv(design * weight[:, None])
        tried = (drawn * weight) @ gain.T @ full.T
        misfit = np.sum(((drawn - _clipped(tried, x)) * weight) ** 2, axis=1)
        better = (misfit < best) & (tried[:, 0] < 0.0) & (tried[:, 2] <= tried[:, 3])
        best, found = np.where(better, misfit, best), np.where(better[:, None], tried, found)
    off = found[np.isfinite(best)] - theta
    return off.T @ off / off.shape[0] if off.shape[0] >= 0.9 * DRAWS else None


def _clipped(theta: FloatArray, x: FloatArray) -> FloatArray:
    line = theta[:, :1] * x + theta[:, 1:2]
    return np.asarray(np.minimum(np.maximum(line, theta[:, 2:3]), theta[:, 3:]))


def _sides(x: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Every choice of sides: design of its free parameters (n, f), and θ from them (4, f).

    Levels before `first` are high, those from `last` on low; a kink may lie at a level itself, and
    then the flat end is where the line is.
    """
    kinks = [(i, at) for i in range(1, x.size) for at in (False, True) if i < x.size - at]
    for first, high_at in kinks:
        for last, low_at in kinks:
            design, full, free = np.zeros((x.size, 4)), np.eye(4), [0, 1, 2, 3]
            design[:first, 3] = design[first:last, 1] = design[last:, 2] = 1.0
            design[first:last, 0] = x[first:last]
            for place, at, where in ((3, high_at, first), (2, low_at, last)):
                if at:
                    full[place] = (x[where], 1.0, 0.0, 0.0)
                    free.remove(place)
            design, full = design @ full[:, free], full[:, free]
            if first < last and np.linalg.matrix_rank(design) == len(free):
                yield design, full
