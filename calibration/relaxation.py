"""Relaxation of devices that follow no power law: a law of the change given the first read.

The form of the law is the simplest that predicts devices it was not fitted to as well as the best.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize

from pcmsim.calibration.clusters import clustered
from pcmsim.calibration.distributions import held_out
from pcmsim.calibration.estimate import Estimate, Exclusion, Unidentified
from pcmsim.calibration.records import DriftTraces, Instrument
from pcmsim.calibration.relaxation_memory import Memory, fit_memory
from pcmsim.calibration.relaxation_model import BLOCKS, Form, LaterReads, Likelihood
from pcmsim.calibration.relaxation_traces import Traces, gather
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.relaxation_law import Relaxation
from pcmsim.errors import DataError
from pcmsim.rng import stream

# From the simplest on; a later one has to predict held-out devices surely better to be kept.
FORMS = (
    Form("symmetric", 2, 1, 1, 0, None, None),
    Form("one shape", 2, 1, 0, None, 0, None),
    Form("skewed", 2, 1, 1, 0, 2, 1),
    Form("skewed, more levels", 3, 2, 2, 1, 3, 2),
)
_WORTH, _SURE, _FEWEST, _SHARE = 2.0, 2.0, 100, 0.2
# Slope of the mean log-likelihood at which the optimum has been reached.
_FLAT = 1e-6


@dataclass(frozen=True)
class RelaxationFit:
    """A relaxation law with all that led to it.

    g_max           conductance that u = 1 stands for [µS]
    form, law       the form that was kept, and the law
    estimate        its parameters, errors clustered by device
    memory          correlation over time; None where fewer than three later times were read
    forms, scores   what was tried, and log-likelihood of held-out devices less that of the best
    traces          the data as they were used
    g_low           conductance below which reads count as cut off [µS]
    """

    g_max: float
    form: Form
    law: Relaxation
    estimate: Estimate
    memory: Memory | None
    forms: tuple[str, ...]
    scores: tuple[float, ...]
    traces: Traces
    g_low: float
    exclusions: tuple[Exclusion, ...]
    unidentified: tuple[Unidentified, ...] = ()


def fit_relaxation(
    parts: Iterable[DriftTraces],
    instrument: Instrument,
    g_max: float | None = None,
    forms: Sequence[Form] = FORMS,
    seed: int = 0,
) -> RelaxationFit:
    """Fit the law to traces whose first read defines the conductance; 20 % of devices choose.

    `g_max` [µS] is the largest target that twenty devices have, unless given. Raises `DataError`
    for fewer than a hundred devices, fewer than two times, or parts with different times.
    """
    traces, exclusions = gather(parts, g_max)
    if np.unique(traces.device).size < _FEWEST:
        raise DataError(
            f"relaxation: {np.unique(traces.device).size} devices with a first read; the shape of "
            f"a distribution needs {_FEWEST} or more"
        )
    low = max(instrument.g_variance**0.5, 1e-4 * traces.g_max)
    test = held_out(traces.device, _SHARE, stream(seed, "held out"))
    fits, scores = [], []
    for form in forms:
        theta, _ = maximise(form, traces.reads(low, ~test), traces.g_max)
        fits.append(theta)
        scores.append(_predicted(form, theta, traces.reads(low, test), traces.g_max))
    k = _kept(scores)
    whole = traces.reads(low)
    theta, message = maximise(forms[k], whole, traces.g_max, fits[k])
    estimate = _estimate(forms[k], theta, message, whole, traces)
    z = np.full(traces.g.shape, np.nan)
    z[~np.isnan(traces.g)] = Likelihood(forms[k], whole, traces.g_max).deviates(theta)
    memory = fit_memory(z, traces.t_s, traces.device)
    persistence, memory_s = (
        (1.0, float(np.exp(theta[0])))
        if memory is None
        else (memory.estimate["persistence"], float(np.exp(memory.estimate["ln memory"])))
    )
    best = max(float(score.sum()) for score in scores)
    return RelaxationFit(
        traces.g_max,
        forms[k],
        forms[k].law(theta, persistence, memory_s),
        estimate,
        memory,
        tuple(form.name for form in forms),
        tuple(float(score.sum()) - best for score in scores),
        traces,
        low,
        exclusions,
        _unidentified(estimate, memory),
    )


def maximise(
    form: Form, reads: LaterReads, g_max: float, start: FloatArray | None = None
) -> tuple[FloatArray, str]:
    """θ of the largest likelihood, and "converged" or why not."""
    likelihood = Likelihood(form, reads, g_max)
    theta = _start(form, reads, g_max) if start is None else start

    # The optimiser asks for the slope and for the information of a point one after the other.
    @lru_cache(maxsize=1)
    def scores_at(point: bytes) -> FloatArray:
        return likelihood.scores(np.frombuffer(point))

    def objective(theta: FloatArray) -> tuple[float, FloatArray]:
        scores = scores_at(theta.tobytes())
        return -float(likelihood.terms(theta).mean()), -scores.mean(axis=0)

    def information(theta: FloatArray) -> FloatArray:
        scores = scores_at(theta.tobytes())
        return np.asarray(scores.T @ scores / scores.shape[0])

    with np.errstate(over="ignore", invalid="ignore"):
        found = minimize(
            objective, theta, jac=True, hess=information, method="trust-exact",
            options={"maxiter": 200, "gtol": _FLAT},
        )  # fmt: skip
    return np.asarray(found.x), "converged" if found.success else str(found.message)


def _start(form: Form, reads: LaterReads, g_max: float) -> FloatArray:
    spread = float(np.median(np.abs(reads.g - reads.g_first))) or 1e-3 * g_max
    first = {"scale": np.log(spread), "growth": 0.5, "tail": 0.2}
    theta = [
        np.log(np.median(reads.t_s) + reads.t_s.min()) - 2.0,
        np.log(0.05 * g_max),
        np.log(0.5 * g_max),
    ]
    for block in BLOCKS:
        degree = getattr(form, block)
        if degree is not None:
            theta += [first.get(block, 0.0), *[0.0] * degree]
    return np.array(theta)


def _predicted(form: Form, theta: FloatArray, reads: LaterReads, g_max: float) -> FloatArray:
    """Log-likelihood of each row, zero for rows that are not among the reads (n,)."""
    terms = Likelihood(form, reads, g_max).terms(theta)
    return np.bincount(reads.row, terms, minlength=reads.n)


def _kept(scores: Sequence[FloatArray]) -> int:
    """The simplest form that none is surely better than; scores by row."""
    for k, score in enumerate(scores):
        gains = [other - score for other in scores[k + 1 :]]
        if all(g.sum() <= _WORTH + _SURE * g.std() * np.sqrt((g != 0.0).sum()) for g in gains):
            return k
    return len(scores) - 1


def _estimate(
    form: Form, theta: FloatArray, message: str, reads: LaterReads, traces: Traces
) -> Estimate:
    """Sandwich: H⁻¹ (Σ_d s_d s_dᵀ) H⁻¹ with the scores s_d of whole devices."""
    likelihood = Likelihood(form, reads, traces.g_max)
    hessian = np.array(
        [
            (likelihood.scores(theta + h).sum(axis=0) - likelihood.scores(theta - h).sum(axis=0))
            / 2e-4
            for h in 1e-4 * np.eye(theta.size)
        ]
    )
    numbers, which = np.unique(traces.device, return_inverse=True)
    scores = np.zeros((numbers.size, theta.size))
    np.add.at(scores, which, likelihood.by_row(theta))
    influence = -scores @ np.linalg.pinv(0.5 * (hessian + hessian.T), hermitian=True)
    covariance = clustered([(numbers, influence)])
    return Estimate(form.names(), theta, covariance, numbers.size, message == "converged", message)


def _unidentified(estimate: Estimate, memory: Memory | None) -> tuple[Unidentified, ...]:
    missing = []
    if estimate.stderr("ln floor") > 2.0:
        where = "traces of devices near zero conductance"
        why = "no device came close enough to zero"
        missing.append(Unidentified("relaxation.floor_us", why, where, "the value of the fit"))
    if memory is None:
        why = "fewer than three times after the first were read"
        where = "reads at three or more later times"
        missing.append(Unidentified("relaxation.persistence", why, where, "1, all is remembered"))
    return tuple(missing)
