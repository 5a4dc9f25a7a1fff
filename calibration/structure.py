"""Fits to the mean and covariance of vectors of reads, one vector for each device.

If the first two moments of a model are exact, the equations of the Gaussian pseudo-likelihood are
unbiased whatever the distribution, and the scores of the devices give honest errors: covariance
structure analysis; Gourieroux, Monfort and Trognon, Econometrica 52, 681 (1984),
doi:10.2307/1913471. All a fit needs of the data are sums, so its cost is linear in devices.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.pairwise import Pairwise, pairwise
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

Model = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
_MOST_STEPS = 100
_SMALL = 1e-5  # of a standard error; a step that is smaller is the last


@dataclass(frozen=True)
class Point:
    """A model at one value of its parameters, with derivatives.

    mean (p,), covariance (p, p); d_mean (q, p) and d_covariance (q, p, p) by parameter.
    """

    mean: FloatArray
    covariance: FloatArray
    d_mean: FloatArray
    d_covariance: FloatArray

    @cached_property
    def weighted_means(self) -> FloatArray:
        """Σ⁻¹ dμ for each parameter (q, p)."""
        return np.asarray(self._solved(self.d_mean.T).T)

    @cached_property
    def weighted_covariances(self) -> FloatArray:
        """Σ⁻¹ dΣ Σ⁻¹ for each parameter (q, p, p)."""
        halves = [self._solved(d) for d in self.d_covariance]
        return np.array([self._solved(half.T).T for half in halves])

    @cached_property
    def information(self) -> FloatArray:
        """Expected information of one device: dμᵀ Σ⁻¹ dμ + tr(Σ⁻¹ dΣ Σ⁻¹ dΣ) / 2 (q, q)."""
        of_means = self.weighted_means @ self.d_mean.T
        of_spreads = np.einsum("ajk,bjk->ab", self.weighted_covariances, self.d_covariance)
        return np.asarray(of_means + 0.5 * of_spreads)

    def score(self, sums: Pairwise) -> FloatArray:
        """Mean over the devices of the derivatives of the log pseudo-likelihood (q,)."""
        off = sums.mean - self.mean
        excess = sums.covariance + np.outer(off, off) - self.covariance
        of_spreads = np.einsum("ajk,jk->a", self.weighted_covariances, excess)
        return np.asarray(self.weighted_means @ off + 0.5 * of_spreads)

    def scores(self, rows: FloatArray, sums: Pairwise) -> FloatArray:
        """The same for each row (n, q); rows (n, p) hold NaN where a read is missing.

        Shares of reads that are present are those of `sums`, so that the mean of the scores of all
        its rows is `score`.
        """
        off = np.where(np.isnan(rows), 0.0, rows - self.mean)
        scores = off @ (self.weighted_means / sums.present_share).T
        for a, weight in enumerate(self.weighted_covariances):
            quadratic = np.einsum("nj,nj->n", off @ (weight / sums.pair_share), off)
            scores[:, a] += 0.5 * (quadratic - np.sum(weight * self.covariance))
        return np.asarray(scores)

    def _solved(self, right: FloatArray) -> FloatArray:
        return np.asarray(cho_solve(self._factor, right))

    @cached_property
    def _factor(self) -> tuple[FloatArray, bool]:
        factor: tuple[FloatArray, bool] = cho_factor(self.covariance, lower=True)
        return factor


@dataclass(frozen=True)
class Solution:
    """Parameters at the optimum, the model there, and whether it is one."""

    theta: FloatArray
    point: Point
    converged: bool
    message: str

    @property
    def variances(self) -> FloatArray:
        """Variances of the estimates times n, had the devices a Gaussian distribution (q,)."""
        return np.asarray(np.diag(np.linalg.pinv(self.point.information, hermitian=True)))

    def influence(self, rows: FloatArray, sums: Pairwise) -> FloatArray:
        """What each row adds to the error of the parameters: I⁻¹ u / n (n, q)."""
        bread = np.linalg.pinv(self.point.information, hermitian=True)
        return np.asarray(self.point.scores(rows, sums) @ bread / sums.n)


# A step may lead far out, where the model overflows; such a step is halved.
@np.errstate(over="ignore", invalid="ignore")
def solve(model: Model, sums: Pairwise, start: FloatArray, scale: FloatArray) -> Solution:
    """Maximise the Gaussian pseudo-likelihood by Fisher scoring.

    `model` maps parameters (q,) to a mean (p,) and a covariance (p, p), which need not be valid
    everywhere: steps that leave the positive definite matrices are halved. `scale` is a typical
    size of each parameter, for numerical derivatives. Raises `DataError` if the model is not valid
    at `start`.
    """
    theta, scale = np.asarray(start, dtype=np.float64), np.asarray(scale, dtype=np.float64)
    best = deviance(*model(theta), sums)
    if not np.isfinite(best):
        raise DataError("the moments of the data do not allow this model; look at the raw data")
    for _ in range(_MOST_STEPS):
        point = differentiate(model, theta, scale)
        bread = np.linalg.pinv(point.information, hermitian=True)
        score = point.score(sums)
        step = bread @ score
        # Newton decrement: the squared length of the step in standard errors.
        if sums.n * float(score @ step) < _SMALL**2:
            return Solution(theta, point, True, "converged")
        for _ in range(30):
            candidate = deviance(*model(theta + step), sums)
            if candidate < best:
                break
            step = 0.5 * step
        else:
            close = sums.n * float(score @ bread @ score) < 0.01**2
            message = "converged to rounding" if close else "no step improves the fit"
            return Solution(theta, point, close, message)
        theta, best = theta + step, candidate
    return Solution(theta, differentiate(model, theta, scale), False, "too many steps")


def deviance(mean: FloatArray, covariance: FloatArray, sums: Pairwise) -> float:
    """-2 / n times the log pseudo-likelihood, without 2π; infinite if the matrix is not valid."""
    if not np.all(np.isfinite(covariance)):
        return float("inf")
    try:
        factor = cho_factor(covariance, lower=True)
    except np.linalg.LinAlgError:
        return float("inf")
    off = sums.mean - mean
    excess = cho_solve(factor, sums.covariance + np.outer(off, off))
    return float(2.0 * np.log(np.diag(factor[0])).sum() + np.trace(excess))


def differentiate(model: Model, theta: FloatArray, scale: FloatArray) -> Point:
    """The model at `theta` with derivatives by differences of 1e-4 of `scale`.

    Central, or to one side where the model ends on the other.
    """
    here = mean, covariance = model(theta)
    d_mean, d_covariance = [], []
    for a in range(theta.size):
        h = np.zeros(theta.size)
        h[a] = 1e-4 * scale[a]
        up, down = (
            moved if np.all(np.isfinite(moved[1])) else None
            for moved in (model(theta + h), model(theta - h))
        )
        width = h[a] * ((up is not None) + (down is not None))
        (mean_up, covariance_up), (mean_down, covariance_down) = up or here, down or here
        d_mean.append((mean_up - mean_down) / width)
        d_covariance.append((covariance_up - covariance_down) / width)
    return Point(mean, covariance, np.array(d_mean), np.array(d_covariance))


@dataclass(frozen=True)
class StructureFit:
    """Estimate with sandwich errors, and the moments of data and model for a look."""

    estimate: Estimate
    sums: Pairwise
    point: Point


def fit_structure(
    rows: FloatArray,
    model: Model,
    start: FloatArray,
    names: Sequence[str],
    scale: FloatArray | None = None,
) -> StructureFit:
    """Fit `model` to the rows (n, p), one for each independent device, NaN where a read is missing.

    Reads have to be missing at random. `scale` is a typical size of each parameter, the start
    unless given. Raises `DataError` for fewer rows than parameters or an impossible start.

    >>> rng = np.random.default_rng(1)
    >>> rows = 5.0 + rng.normal(0.0, 0.5, (400, 1)) + rng.normal(0.0, 0.2, (400, 3))
    >>> one, eye = np.ones(3), np.eye(3)
    >>> model = lambda x: (x[0] * one, x[1] * np.outer(one, one) + x[2] * eye)
    >>> fit = fit_structure(rows, model, np.array([4.0, 1.0, 1.0]), ("mean", "between", "within"))
    >>> abs(fit.estimate["between"] - 0.25) < 3 * fit.estimate.stderr("between")
    True
    """
    sums, start = pairwise(rows), np.asarray(start, dtype=np.float64)
    sums.check()
    if sums.n <= len(names):
        raise DataError(f"{sums.n} devices cannot tell {len(names)} parameters; measure more")
    found = solve(model, sums, start, np.abs(start) if scale is None else scale)
    influence = found.influence(rows, sums)
    covariance = influence.T @ influence * (sums.n / (sums.n - len(names)))
    estimate = Estimate(
        tuple(names), found.theta, covariance, sums.n, found.converged, found.message
    )
    return StructureFit(estimate, sums, found.point)
