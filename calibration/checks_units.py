"""Mistaken units: siemens or ohm for microsiemens, milliseconds or minutes for seconds."""

from collections.abc import Iterator

import numpy as np

from pcmsim.calibration.findings import FAULT, WARNING, Finding
from pcmsim.devices.laws import FloatArray

# Conductances of resistive and phase-change cells lie well within [µS].
_LEAST_G, _MOST_G = 1e-3, 1e4
# Where most of them lie [µS], and what a number of another unit would be in µS.
_USUAL = (0.1, 1e3)
_FACTORS = {"S": 1e6, "mS": 1e3, "nS": 1e-3, "pS": 1e-6}
_RESISTANCES = {"ohm": 1e6, "kohm": 1e3, "Mohm": 1.0}
# Reads and targets agree within this factor; another unit fits if it brings them within the second.
_AGREES, _FITS = 10.0, 3.0
_YEAR_S, _MINUTE_S, _DAY_S, _HOUR_S = 3.15e7, 60.0, 86_400.0, 3600.0


def unit_findings(
    g: FloatArray, dataset: str, g_target: FloatArray | None = None
) -> Iterator[Finding]:
    """Mistaken units of the reads (r, k), told by their targets (r,) where there are any.

    Numbers alone do not tell 40 kohm from 40 mS; targets do.
    """
    told = False
    if g_target is not None:
        yield from conductance_unit_findings(g_target, dataset, "targets")
        for finding in target_unit_findings(g, g_target, dataset):
            told = told or finding.severity == FAULT
            yield finding
    if not told:
        yield from conductance_unit_findings(g, dataset)


def conductance_unit_findings(
    g: FloatArray, dataset: str, what: str = "reads"
) -> Iterator[Finding]:
    """Conductances that no cell has, with the units that would explain them.

    >>> [found.what for found in conductance_unit_findings(np.array([2e-5]), "drift")]
    ['reads are about 2e-05 uS; were they in S (then 20 uS)? State the unit']
    """
    positive = g[np.isfinite(g) & (g > 0.0)]
    if positive.size == 0:
        if what == "reads" and np.isfinite(g).any():
            yield Finding(dataset, None, "no read is above zero", kind="missing")
        return
    typical = float(np.percentile(positive, 90))
    if _LEAST_G <= typical <= _MOST_G:
        return
    guesses = {unit: typical * factor for unit, factor in _FACTORS.items()}
    guesses |= {unit: factor / typical for unit, factor in _RESISTANCES.items()}
    usual = {unit: us for unit, us in guesses.items() if _USUAL[0] <= us <= _USUAL[1]}
    units = " or ".join(f"{unit} (then {us:.3g} uS)" for unit, us in usual.items())
    line = f"{what} are about {typical:.3g} uS; were they in {units or 'another unit'}?"
    yield Finding(dataset, None, f"{line} State the unit", kind="unit")


def target_unit_findings(g: FloatArray, g_target: FloatArray, dataset: str) -> Iterator[Finding]:
    """Reads (r, k) that are a power of a thousand away from their targets (r,), or the inverse.

    >>> g, g_target = np.array([[200.0], [100.0]]), np.array([5.0, 10.0])
    >>> [finding.what for finding in target_unit_findings(g, g_target, "drift")]
    ['reads are about 150 uS, targets 7.5 uS; were the reads in kohm? State the unit']
    """
    with np.errstate(invalid="ignore"):
        reads = np.fmax.reduce(g, axis=1)
        fine = np.isfinite(reads) & (reads > 0.0) & np.isfinite(g_target) & (g_target > 0.0)
    if not fine.any():
        return
    reads, targets = reads[fine], g_target[fine]
    ratio, product = np.log10(reads / targets), np.log10(reads * targets)
    if abs(np.median(ratio)) < np.log10(_AGREES):
        return
    distances = {u: product - np.log10(factor) for u, factor in _RESISTANCES.items()}
    # A factor may as well stand in the targets, a resistance not.
    for unit, factor in _FACTORS.items():
        distances[f"{unit}, or the targets in another unit"] = ratio + np.log10(factor)
    scores = {unit: float(np.median(np.abs(x))) for unit, x in distances.items()}
    best = min(scores, key=scores.__getitem__)
    line = f"reads are about {np.median(reads):.3g} uS, targets {np.median(targets):.3g} uS"
    if scores[best] < np.log10(_FITS):
        yield Finding(
            dataset, None, f"{line}; were the reads in {best}? State the unit", kind="unit"
        )
    else:
        yield Finding(dataset, None, f"{line}; was another quantity written?", WARNING, "unit")


def time_unit_findings(t_s: FloatArray, t_read_s: float, dataset: str) -> Iterator[Finding]:
    """Times that round numbers of another unit would explain.

    >>> [found.what for found in time_unit_findings(np.array([1.0, 5760.0]), 1e-6, "drift")]
    ['the last read is at 5760 s; was it 4 days in minutes? State the unit of the times']
    """
    last, first = float(t_s[-1]), float(t_s[0])
    guess = ""
    if last > _YEAR_S:
        guess = f"{1e-3 * last:.4g} s in ms, or {1e-6 * last:.4g} s in us"
    elif _multiple(last, _DAY_S / _MINUTE_S) and not _multiple(last, _HOUR_S):
        guess = f"{last * _MINUTE_S / _DAY_S:g} days in minutes"
    elif _multiple(last, _DAY_S / _HOUR_S) and last < 1000.0 and not _multiple(last, _MINUTE_S):
        guess = f"{last * _HOUR_S / _DAY_S:g} days in hours"
    if guess:
        what = f"the last read is at {last:.6g} s; was it {guess}? State the unit of the times"
        yield Finding(dataset, None, what, WARNING, "unit")
    if first < 0.999 * t_read_s:
        what = (
            f"the first read is at {first:g} s and takes t_read_s = {t_read_s:g} s; reads begin "
            f"after the pulse: check the units of both"
        )
        yield Finding(dataset, None, what, WARNING, "unit")


def _multiple(value: float, step: float) -> bool:
    return value >= step and abs(value / step - round(value / step)) < 1e-9
