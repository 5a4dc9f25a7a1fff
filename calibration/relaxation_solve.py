"""The maximum of the likelihood of relaxation, and errors that do not trust it."""

from functools import lru_cache

import numpy as np
from scipy.optimize import minimize

from pcmsim.calibration.clusters import clustered
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.records import IntArray
from pcmsim.calibration.relaxation_model import BLOCKS, Form, LaterReads, Likelihood
from pcmsim.devices.laws import FloatArray

# Slope of the mean log-likelihood at which the optimum has been reached.
_FLAT, _MOST_STEPS = 1e-6, 200
# Standard errors that the end of a search may lie from the optimum.
_CLOSE = 0.1
# A cost no data have, for parameters at which the likelihood overflows.
_FORBIDDEN = 1e10
# Scores of single reads beyond this come from parameters far outside of what data allow.
_STEEPEST = 1e6


def maximise(
    form: Form, reads: LaterReads, g_max: float, start: FloatArray | None = None
) -> tuple[FloatArray, str]:
    """θ of the largest likelihood, and "converged" or why not.

    The outer product of the scores stands for the curvature (Berndt, Hall, Hall and Hausman). A
    floor that data far above zero push up to g_max is held at a quarter of it.
    """
    theta, message = _search(form, reads, g_max, start, held=False)
    if theta[1] > np.log(g_max) - 0.1:
        return _search(form, reads, g_max, start, held=True)
    return theta, message


def _search(
    form: Form, reads: LaterReads, g_max: float, start: FloatArray | None, held: bool
) -> tuple[FloatArray, str]:
    """The same, with the floor held or free."""
    likelihood = Likelihood(form, reads, g_max)
    theta = _start(form, reads, g_max) if start is None else start.copy()
    theta[1] = np.log(0.25 * g_max) if held else min(theta[1], np.log(0.5 * g_max))

    # The optimiser asks for the slope and for the information of a point one after the other.
    @lru_cache(maxsize=1)
    def scores_at(point: bytes) -> FloatArray:
        scores = np.nan_to_num(likelihood.scores(np.frombuffer(point)), posinf=0.0, neginf=0.0)
        scores[:, 1] *= not held
        return np.asarray(np.clip(scores, -_STEEPEST, _STEEPEST))

    def objective(theta: FloatArray) -> tuple[float, FloatArray]:
        cost = -float(likelihood.terms(theta).mean())
        slope = -scores_at(theta.tobytes()).mean(axis=0)
        # Beyond, all conductances are below the floor, or all changes above the cap.
        sound = theta[1] < np.log(g_max) and theta[2] > np.log(1e-3 * g_max)
        return (cost if sound and np.isfinite(cost) else _FORBIDDEN), slope

    def information(theta: FloatArray) -> FloatArray:
        scores = scores_at(theta.tobytes())
        return np.asarray(scores.T @ scores / scores.shape[0])

    with np.errstate(all="ignore"):
        found = minimize(
            objective,
            theta,
            jac=True,
            hess=information,
            method="trust-exact",
            options={"maxiter": _MOST_STEPS, "gtol": _FLAT},
        )
        theta, scores = np.asarray(found.x), scores_at(np.asarray(found.x).tobytes())
        slope = scores.sum(axis=0)
        # Squared length of the step that is left, in standard errors. Along directions that the
        # data do not tell a search may go on for ever, which this does not mind.
        left = float(slope @ np.linalg.pinv(scores.T @ scores, rcond=1e-10, hermitian=True) @ slope)
    close = left < _CLOSE**2 and abs(found.fun) < _FORBIDDEN
    return theta, "converged" if close else str(found.message)


def estimate(
    form: Form,
    theta: FloatArray,
    message: str,
    reads: LaterReads,
    device: IntArray,
    g_max: float,
) -> Estimate:
    """Sandwich: H⁻¹ (Σ_d s_d s_dᵀ) H⁻¹ with the scores s_d of whole devices.

    `device` (n,) are the devices of the rows. Not converged where the curvature is not that of a
    maximum.
    """
    likelihood = Likelihood(form, reads, g_max)
    with np.errstate(all="ignore"):
        slopes = [
            likelihood.scores(theta + h).sum(axis=0) - likelihood.scores(theta - h).sum(axis=0)
            for h in 1e-4 * np.eye(theta.size)
        ]
    hessian = np.nan_to_num(np.array(slopes) / 2e-4, posinf=0.0, neginf=0.0)
    hessian = 0.5 * (hessian + hessian.T)
    curvatures = np.linalg.eigvalsh(hessian)
    if message == "converged" and curvatures.max() > 1e-6 * abs(curvatures.min()):
        message = "the likelihood has no maximum there"
    numbers, which = np.unique(device, return_inverse=True)
    scores = np.zeros((numbers.size, theta.size))
    with np.errstate(all="ignore"):
        np.add.at(scores, which, np.nan_to_num(likelihood.by_row(theta), posinf=0.0, neginf=0.0))
    influence = -scores @ np.linalg.pinv(hessian, hermitian=True)
    covariance = clustered([(numbers, influence)])
    good = message == "converged"
    return Estimate(form.names(), theta, covariance, numbers.size, good, message)


def _start(form: Form, reads: LaterReads, g_max: float) -> FloatArray:
    spread = float(np.median(np.abs(reads.g - reads.g_first))) or 1e-3 * g_max
    first = {"scale": np.log(spread), "growth": 0.5, "tail": 0.2}
    onset = np.log(np.median(reads.t_s) + reads.t_s.min()) - 2.0
    theta = [onset, np.log(0.05 * g_max), np.log(0.5 * g_max)]
    for block in BLOCKS:
        degree = getattr(form, block)
        if degree is not None:
            theta += [first.get(block, 0.0), *[0.0] * degree]
    return np.array(theta)
