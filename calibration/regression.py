"""Laws through estimates that have a covariance: generalised least squares with a test of fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import least_squares
from scipy.stats import chi2

from pcmsim.calibration.estimate import Estimate
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError


@dataclass(frozen=True)
class Regression:
    """Parameters of a law, how well it goes through the estimates, and what they do not tell.

    chi_square, freedom, p_value   of the misfit; a small p means that the law is too simple
    unidentified                   names of parameters that no estimate depends on
    """

    estimate: Estimate
    chi_square: float
    freedom: int
    p_value: float
    unidentified: tuple[str, ...] = ()


def regress(
    law: Callable[[FloatArray], FloatArray],
    found: FloatArray,
    covariance: FloatArray,
    start: FloatArray,
    names: Sequence[str],
    n: int,
    working: FloatArray | None = None,
) -> Regression:
    """Minimise (found - law(θ))ᵀ W⁻¹ (found - law(θ)) over θ; errors from V = `covariance` (k, k).

    W is `working`, V unless given. Where V is itself estimated, and the more spread there is the
    less sure of it, weights by V favour the estimates that happen to be small; a smoother W does
    not, and V gives honest errors all the same. A parameter that nothing depends on, such as a clip
    that is never reached, stays at its start and is named in `unidentified`. Raises `DataError` for
    fewer estimates than parameters.

    >>> line = lambda p: p[0] + p[1] * np.arange(4.0)
    >>> found = regress(line, line([1.0, 2.0]), np.eye(4), np.zeros(2), ("a", "b"), 4)
    >>> found.estimate.values.round(6), round(found.p_value, 3)
    (array([1., 2.]), 1.0)
    """
    start = np.asarray(start, dtype=np.float64)
    if found.size < start.size:
        raise DataError(f"{found.size} levels cannot tell {', '.join(names)}; measure more levels")
    root = np.linalg.cholesky(covariance if working is None else working)
    whitening = solve_triangular(root, np.eye(found.size), lower=True)

    def misfit(theta: FloatArray) -> FloatArray:
        return np.asarray(whitening @ (found - law(theta)))

    scale = np.maximum(np.abs(start), 1e-6)
    result = least_squares(misfit, start, x_scale=scale, diff_step=1e-5, xtol=1e-12, ftol=1e-12)
    told = np.linalg.norm(result.jac * scale, axis=0) > 1e-8
    whitened = whitening @ covariance @ whitening.T
    spread = np.zeros((start.size, start.size))
    gain = np.linalg.pinv(-result.jac[:, told] * scale[told]) * scale[told, None]
    spread[np.ix_(told, told)] = gain @ whitened @ gain.T
    left = np.eye(found.size) + result.jac[:, told] @ gain
    chi_square = float(
        result.fun @ np.linalg.pinv(left @ whitened @ left.T, rcond=1e-9) @ result.fun
    )
    freedom = found.size - int(told.sum())
    p_value = float(chi2.sf(chi_square, freedom)) if freedom else 1.0
    estimate = Estimate(
        tuple(names), result.x, spread, n, bool(result.success), str(result.message)
    )
    lost = tuple(name for name, seen in zip(names, told, strict=True) if not seen)
    return Regression(estimate, chi_square if freedom else 0.0, freedom, p_value, lost)
