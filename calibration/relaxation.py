"""Relaxation of devices that follow no power law: a law of the change given the first read.

The form of the law is the simplest that predicts devices it was not fitted to as well as the best.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pcmsim.calibration.distributions import held_out
from pcmsim.calibration.estimate import Estimate, Exclusion, Unidentified
from pcmsim.calibration.records import DriftTraces, Instrument, IntArray
from pcmsim.calibration.relaxation_memory import Memory, fit_memory
from pcmsim.calibration.relaxation_model import BLOCKS, SCALES, Form, LaterReads, Likelihood
from pcmsim.calibration.relaxation_solve import estimate, maximise
from pcmsim.calibration.relaxation_traces import Traces, gather
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.relaxation_law import Relaxation
from pcmsim.errors import DataError, UsageError
from pcmsim.rng import stream

# From the simplest on; a later one has to predict held-out devices surely better to be kept.
FORMS = (
    Form("one shape", 2, 1, 0, None, 0, None),
    Form("symmetric", 2, 1, 1, 0, None, None),
    Form("skewed", 2, 1, 1, 0, 2, 1),
    Form("skewed, more levels", 3, 2, 2, 1, 3, 2),
)
# Devices that make a target one that counts.
_FEW = 20
# Of the largest conductance that was read, what g_max may be at most.
_WIDEST = 10.0
_WORTH, _SURE, _FEWEST, _SHARE = 2.0, 2.0, 100, 0.2
# Standard error of the logarithm of a scale beyond which the data do not tell it.
LOOSE = 2.0
UNITS = {"onset": "onset_s", "floor": "floor_us", "cap": "cap_us"}
_TELLS = {
    "onset": "reads at times from far shorter to far longer than now",
    "floor": "traces of devices near zero conductance",
    "cap": "traces of many more devices, for their largest changes",
}


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
    _check(traces)
    low = max(instrument.g_variance**0.5, 1e-4 * traces.g_max)
    tried = [_within(form, traces) for form in forms]
    scores = _scores(tried, traces, low, seed)
    form, reads = tried[_kept(scores)], traces.reads(low)
    theta, message = maximise(form, reads, traces.g_max)
    found = estimate(form, theta, message, reads, traces.device, traces.g_max)
    memory = _memory(form, theta, traces, reads)
    persistence, memory_s = 1.0, form.law(theta, 1.0, 1.0).onset_s
    if memory is not None:
        persistence, memory_s = memory.estimate["persistence"], memory.memory_s
    best = max(float(score.sum()) for score in scores)
    return RelaxationFit(
        traces.g_max,
        form,
        form.law(theta, persistence, memory_s),
        found,
        memory,
        tuple(form.name for form in tried),
        tuple(float(score.sum()) - best for score in scores),
        traces,
        low,
        exclusions,
        _unidentified(found, memory),
    )


def _check(traces: Traces) -> None:
    """Refuse traces that no law can be fitted to, before any fit."""
    later = np.unique(traces.device[~np.isnan(traces.g).all(axis=1)]).size
    if later < _FEWEST:
        raise DataError(
            f"drift: {later} devices up to {traces.g_max:g} uS have a first and a later read; the "
            f"shape of a distribution needs {_FEWEST} or more"
        )
    if np.nanmedian(np.abs(traces.g - traces.g_first[:, None])) == 0.0:
        raise DataError("drift: most reads equal the first; there is no relaxation to fit")
    if traces.g_max > _WIDEST * np.max(traces.g_first):
        raise UsageError(
            f"g_max = {traces.g_max:g} uS, but no device was above {np.max(traces.g_first):g} uS"
        )


def _scores(forms: Sequence[Form], traces: Traces, g_low: float, seed: int) -> list[FloatArray]:
    """Log-likelihood of each held-out device under each form, fitted to the others."""
    test = held_out(traces.device, _SHARE, stream(seed, "held out"))
    scores = []
    for form in forms:
        theta, _ = maximise(form, traces.reads(g_low, ~test), traces.g_max)
        reads = traces.reads(g_low, test)
        scores.append(_predicted(form, theta, reads, traces.device, traces.g_max))
    return scores


def _memory(form: Form, theta: FloatArray, traces: Traces, reads: LaterReads) -> Memory | None:
    """Correlation over time of the deviates of all reads but those that were cut off."""
    z = np.full(traces.g.shape, np.nan)
    z[~np.isnan(traces.g)] = Likelihood(form, reads, traces.g_max).deviates(theta)
    z[traces.g <= reads.g_low] = np.nan  # of these only a bound is known
    return fit_memory(z, traces.t_s, traces.device)


def _within(form: Form, traces: Traces) -> Form:
    """The form with polynomials that the targets can tell: as many coefficients as targets."""
    counts = np.unique(traces.g_target, return_counts=True)[1]
    most = max(int(np.sum(counts >= _FEW)) - 1, 0)
    changed: dict[str, Any] = {}
    for block in BLOCKS:
        degree = getattr(form, block)
        changed[block] = degree if degree is None else min(degree, most)
    return replace(form, **changed)


def _predicted(
    form: Form, theta: FloatArray, reads: LaterReads, device: IntArray, g_max: float
) -> FloatArray:
    """Log-likelihood of each device that has reads; `device` (n,) are those of the rows."""
    terms = Likelihood(form, reads, g_max).terms(theta)
    _, which = np.unique(device[reads.row], return_inverse=True)
    return np.bincount(which, terms)


def _kept(scores: Sequence[FloatArray]) -> int:
    """The simplest form that none is surely better than; scores by held-out device."""
    for k, score in enumerate(scores):
        gains = [other - score for other in scores[k + 1 :]]
        if all(g.sum() <= _WORTH + _SURE * g.std() * np.sqrt(g.size) for g in gains):
            return k
    return len(scores) - 1


def _unidentified(estimate: Estimate, memory: Memory | None) -> tuple[Unidentified, ...]:
    missing = []
    for scale in SCALES:
        if estimate.stderr(f"ln {scale}") > LOOSE:
            entry = f"relaxation.{UNITS[scale]}"
            why = "the likelihood hardly depends on it"
            missing.append(Unidentified(entry, why, _TELLS[scale], "the value of the fit"))
    if memory is None or "ln memory" not in memory.estimate:
        why = "too few pairs of times, or deviates that do not resemble each other"
        where = "reads at three or more later times"
        kept = "1, all is remembered" if memory is None else "a tenth of the first later time"
        name = "persistence" if memory is None else "memory_s"
        missing.append(Unidentified(f"relaxation.{name}", why, where, kept))
    return tuple(missing)
