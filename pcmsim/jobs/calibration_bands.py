"""Fits beside their data: bands by the delta method, residuals, and tests of the means."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.stats import chi2, norm

from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.law_fits import LawFit
from pcmsim.calibration.pairwise import Pairwise
from pcmsim.calibration.structure import Point
from pcmsim.devices.laws import (
    ClippedLog,
    ClippedPower,
    Constant,
    FloatArray,
    Law,
    Polynomial,
    Table,
)

COVERS = 1.96  # standard errors to each side that cover 95 %


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of reads, found and fitted, with standard errors [µS] (k,).

    whitened        deviations of the mean, made independent and of unit variance (k,)
    chi_square, freedom, p_value
                    of these deviations
    """

    mean: FloatArray
    mean_stderr: FloatArray
    std: FloatArray
    std_stderr: FloatArray
    fit_mean: FloatArray
    fit_mean_stderr: FloatArray
    fit_std: FloatArray
    fit_std_stderr: FloatArray
    whitened: FloatArray
    chi_square: float
    freedom: float
    p_value: float

    @property
    def residuals(self) -> FloatArray:
        """Deviations of the mean in its standard errors (k,)."""
        return np.asarray((self.mean - self.fit_mean) / self.mean_stderr)


def moments(sums: Pairwise, point: Point, estimate: Estimate) -> Moments:
    """Moments of the reads in `sums` beside those of the fit at `point`.

    The test takes the covariance of the reads from the fit. The parameters follow the mean as far
    as they rest on it and not on the spread, which costs tr(I⁻¹ I_mean) degrees of freedom, I being
    the information. Spreads have the standard error s/√n, 1.4 times that of a Gaussian.
    """
    variance, n = np.diag(sums.covariance), np.diag(sums.pairs)
    std = np.sqrt(np.maximum(variance, 0.0))
    fit_std = np.sqrt(np.diag(point.covariance))
    d_std = np.array([np.diag(d) for d in point.d_covariance]) / (2.0 * fit_std)
    covariance = point.covariance * sums.pairs / np.outer(n, n)
    root = np.linalg.cholesky(covariance)
    whitened = solve_triangular(root, sums.mean - point.mean, lower=True)
    of_mean = point.weighted_means @ point.d_mean.T
    used = float(np.trace(np.linalg.pinv(point.information, hermitian=True) @ of_mean))
    chi_square, freedom = float(whitened @ whitened), n.size - used
    return Moments(
        sums.mean,
        std / np.sqrt(n),
        std,
        std / np.sqrt(n),
        point.mean,
        linear_stderr(point.d_mean, estimate.covariance),
        fit_std,
        linear_stderr(d_std, estimate.covariance),
        whitened,
        chi_square,
        freedom,
        float(chi2.sf(chi_square, freedom)),
    )


def linear_stderr(slopes: FloatArray, covariance: FloatArray) -> FloatArray:
    """Standard errors of what has the derivatives `slopes` (q, k) by the parameters.

    >>> linear_stderr(np.array([[1.0, 0.0], [1.0, 2.0]]), np.diag([9.0, 16.0]))
    array([5., 8.])
    """
    variance = np.einsum("ak,ab,bk->k", slopes, covariance, slopes)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def delta_stderr(
    function: Callable[[FloatArray], FloatArray], values: FloatArray, covariance: FloatArray
) -> FloatArray:
    """The same for a `function` of the parameters, by differences of 1e-3 standard errors.

    >>> square = lambda theta: theta**2
    >>> delta_stderr(square, np.array([3.0]), np.array([[0.01]])).round(6)
    array([0.6])
    """
    stderrs = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    told = np.flatnonzero(stderrs)  # the others do not move
    slopes = np.zeros((values.size, function(values).size))
    for a in told:
        step = np.zeros(values.size)
        step[a] = 1e-3 * stderrs[a]
        slopes[a] = (function(values + step) - function(values - step)) / (2.0 * step[a])
    return linear_stderr(slopes, covariance)


def law_stderr(fit: LawFit, g: FloatArray) -> FloatArray:
    """Standard errors of a fitted law at the relative conductances `g`."""
    estimate = fit.regression.estimate
    return delta_stderr(
        lambda theta: moved(fit.law, theta)(g), estimate.values, estimate.covariance
    )


def moved(law: Law, theta: FloatArray) -> Law:
    """The law with other coefficients; one that is not fitted with any stays.

    >>> moved(Constant(0.05), np.array([0.06]))
    Constant(constant=0.06)
    """
    values = [float(x) for x in theta]
    match law:
        case Constant():
            return Constant(values[0])
        case Polynomial():
            return Polynomial(tuple(values))
        case ClippedLog():
            return ClippedLog(values[0], values[1], values[2], max(values[2], values[3]))
        case ClippedPower():
            return ClippedPower(*values)
        case Table():
            return Table(law.x, tuple(values))
    return law


def normal_quantiles(deviations: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Quantiles of the normal distribution, and the deviations that stand at them, sorted.

    >>> normal_quantiles(np.array([1.0, -1.0, 0.0]))[0].round(2)
    array([-0.97,  0.  ,  0.97])
    """
    ordered = np.sort(deviations[np.isfinite(deviations)])
    return norm.ppf((np.arange(ordered.size) + 0.5) / max(ordered.size, 1)), ordered
