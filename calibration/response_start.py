"""Where ramps start: median and spread of the conductance before the first pulse."""

import numpy as np

from pcmsim.calibration.estimate import Exclusion
from pcmsim.calibration.response import ResponseFit
from pcmsim.devices.params import Entry


def start_entries(fit: ResponseFit, source: str) -> tuple[dict[str, Entry], tuple[Exclusion, ...]]:
    """Entries `reset_median` and `reset_log_std` of a set, and what was not used for them.

    The read before the first pulse stands for RESET: that is where simulated staircases begin. Its
    spread over the ramps holds the noise of the reads, which is taken off in µS², as near zero a
    logarithm would turn it into a spread of decades. What is left is that of a log-normal law of
    the same mean: s² = ln(1 + (v - σ_r² E[1/r]) / m²) for r reads of each ramp, s = 0 below that.
    Reads below zero count like the others. Ramps without a first read are left out; if the median
    is not above zero all are, for RESET is.
    """
    reads, first = fit.ramps.reads[:, 0], fit.ramps.mean[:, 0]
    begun = reads > 0
    lost = _excluded("the read before the first pulse is missing", ~begun)
    if not begun.any():
        return {}, lost
    n, median, mean = int(begun.sum()), float(np.median(first[begun])), float(first[begun].mean())
    if min(median, mean) <= 0.0:
        reason = f"reads before the first pulse have median {median:.3g} uS and mean {mean:.3g} uS"
        reason = f"{reason}; both have to be above zero, as RESET is"
        return {}, (*lost, *_excluded(reason, begun))
    text = f"reads before the first pulse of {n} ramps of {fit.ramps.devices} devices"
    entries = {"reset_median": Entry(median, "uS", f"median of {text}; {source}")}
    if n > 1:
        noise = fit.estimate["read_std_us"] ** 2 * float(np.mean(1.0 / reads[begun]))
        left = max(float(first[begun].var(ddof=1)) - noise, 0.0)
        text = f"spread over {text}, less read noise of {np.sqrt(noise):.3g} uS"
        std = float(np.sqrt(np.log1p(left / mean**2)))
        entries["reset_log_std"] = Entry(std, "1", f"{text}; {source}")
    return entries, lost


def _excluded(reason: str, ramps: np.ndarray) -> tuple[Exclusion, ...]:
    count = int(ramps.sum())
    return (Exclusion("staircase", reason, count, "ramps"),) if count else ()
