"""Maximum likelihood of independent devices, with errors that do not trust the likelihood."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize

from pcmsim.calibration.estimate import Estimate
from pcmsim.devices.laws import FloatArray

# Log-likelihood of each device (n,) for parameters (q,); -inf where there is no such model.
DeviceLikelihood = Callable[[FloatArray], FloatArray]
_STEP = 1e-4  # of the scale, for derivatives
_CLOSE = 0.01  # of a standard error, what an optimum may be off by


def maximise(
    likelihood: DeviceLikelihood, start: FloatArray, scale: FloatArray, names: Sequence[str]
) -> Estimate:
    """Maximise Σ_d ln L_d(θ) from `start`; `scale` is a typical size of each parameter (q,).

    Covariance H⁻¹ (Σ_d u_d u_dᵀ) H⁻¹ with scores u and curvature H, which holds if the law of the
    devices is not quite that of the likelihood: White, Econometrica 50, 1 (1982),
    doi:10.2307/1912526. `converged` tells whether the scores vanish within 1 % of a standard error
    and the curvature is that of an optimum.

    >>> x = np.random.default_rng(0).normal(3.0, 2.0, 400)
    >>> normal = lambda p: -p[1] - 0.5 * ((x - p[0]) / np.exp(p[1])) ** 2
    >>> fit = maximise(normal, np.array([0.0, 0.0]), np.ones(2), ("mean", "log_std"))
    >>> abs(fit["mean"] - float(x.mean())) < 1e-4
    True
    >>> round(fit.stderr("mean") / float(x.std() / np.sqrt(400)), 3)
    1.0
    """
    start, scale = np.asarray(start, dtype=np.float64), np.asarray(scale, dtype=np.float64)
    n = likelihood(start).size

    def cost(z: FloatArray) -> float:
        value = -float(np.mean(likelihood(z * scale)))
        return value if np.isfinite(value) else 1e10

    def slope(z: FloatArray) -> FloatArray:
        return -np.asarray(_scores(likelihood, z, scale).mean(axis=0))

    def outer(z: FloatArray) -> FloatArray:
        scores = _scores(likelihood, z, scale)
        return np.asarray(scores.T @ scores / n)

    # The outer product of the scores stands for the curvature (Berndt, Hall, Hall and Hausman).
    best = minimize(
        cost,
        start / scale,
        jac=slope,
        hess=outer,
        method="trust-exact",
        options={"gtol": 1e-6, "maxiter": 200},
    )
    z = np.asarray(best.x)
    scores, curvature = _scores(likelihood, z, scale), _curvature(cost, z)
    bread = np.linalg.pinv(curvature, hermitian=True)
    covariance = bread @ (scores.T @ scores / n) @ bread / n
    step = bread @ scores.mean(axis=0)
    stderr = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    peak = bool(np.linalg.eigvalsh(curvature).min() > 0.0)
    converged = peak and bool(np.all(np.abs(step) < _CLOSE * stderr))
    message = "converged" if converged else f"no optimum: {best.message:.80}"
    covariance = covariance * np.outer(scale, scale)
    return Estimate(tuple(names), z * scale, covariance, n, converged, message)


def derived(
    estimate: Estimate, transform: Callable[[FloatArray], FloatArray], names: Sequence[str]
) -> Estimate:
    """Functions of estimates, with errors to first order.

    >>> length = Estimate(("a",), np.array([3.0]), np.array([[0.01]]), 9)
    >>> round(derived(length, lambda p: p**2, ("a2",)).stderr("a2"), 4)
    0.6
    """
    at, rows = estimate.values, []
    for h in np.diag(np.maximum(_STEP * estimate.stderrs, 1e-12)):
        rows.append((transform(at + h) - transform(at - h)) / (2.0 * h.sum()))
    slope = np.array(rows)
    covariance = slope.T @ estimate.covariance @ slope
    return Estimate(
        tuple(names), transform(at), covariance, estimate.n, estimate.converged, estimate.message
    )


def _scores(likelihood: DeviceLikelihood, z: FloatArray, scale: FloatArray) -> FloatArray:
    """Derivatives of the log-likelihood of each device (n, q); zero where there is no model."""
    columns = []
    for h in _STEP * np.eye(z.size):
        up, down = likelihood((z + h) * scale), likelihood((z - h) * scale)
        with np.errstate(invalid="ignore"):  # no model on either side
            columns.append((up - down) / (2.0 * _STEP))
    return np.nan_to_num(np.array(columns).T, posinf=0.0, neginf=0.0)


def _curvature(cost: Callable[[FloatArray], float], z: FloatArray) -> FloatArray:
    """Second derivatives of the cost (q, q), from its values to both sides."""
    steps, here = 30.0 * _STEP * np.eye(z.size), cost(z)
    once = np.array([cost(z + h) + cost(z - h) for h in steps])
    found = np.empty((z.size, z.size))
    for i, a in enumerate(steps):
        for j, b in enumerate(steps[: i + 1]):
            twice = cost(z + a + b) + cost(z - a - b)
            found[i, j] = found[j, i] = twice - once[i] - once[j] + 2.0 * here
    return found / (2.0 * (30.0 * _STEP) ** 2)
