"""Read noise from repeated reads: its power at each level, and the exponent of its spectrum."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from pcmsim.calibration.allan import StructureFunction, fit_structure_function, structure_function
from pcmsim.calibration.estimate import Estimate, Exclusion
from pcmsim.calibration.records import Instrument, RepeatedReads
from pcmsim.calibration.tally import FEWEST, fold_of
from pcmsim.calibration.whittle import Periodograms, fit_whittle, held_out_gain, periodograms
from pcmsim.devices.laws import FloatArray

# Shorter records have too few frequencies for two or three parameters.
_SHORTEST = 32


@dataclass(frozen=True)
class BurstFit:
    """Noise of one level.

    t_s             mean time since the last pulse [s]
    free, fixed     Whittle estimates with the exponent free, and with the one that was chosen
    allan           estimate by the structure function, with the exponent that was chosen
    """

    g_target: float
    t_s: float
    g_mean: float
    free: Estimate
    fixed: Estimate
    allan: Estimate
    structure: StructureFunction
    periodograms: Periodograms


@dataclass(frozen=True)
class NoiseFit:
    """Noise of all levels and the exponent they share.

    exponent        γ that was chosen
    estimate        γ where it is free, pooled over the levels
    homogeneity     p-value of equal exponents at all levels
    gain            log-likelihood that a free exponent gains on held-out devices
    """

    exponent: float
    estimate: Estimate
    homogeneity: float
    gain: float
    levels: tuple[BurstFit, ...]
    exclusions: tuple[Exclusion, ...]


def fit_noise(
    records: Sequence[RepeatedReads], instrument: Instrument, exponent: float | None = None
) -> NoiseFit | None:
    """Fit repeated reads level by level; None if no level can be fitted.

    γ = 1 is kept unless a free exponent predicts devices that were not fitted better and lies more
    than two standard errors away; `exponent` overrules both. Left out, and counted: levels whose
    reads reach zero, where noise is cut off, levels of fewer than 20 devices, short records.
    """
    bursts, exclusions = [], []
    for burst in _levels(records):
        reason = _unfit(burst, instrument)
        if reason:
            exclusions.append(Exclusion("reads", reason, burst.device.size))
        else:
            bursts.append((burst, periodograms(burst.g, burst.interval_s)))
    if not bursts:
        return None
    free = [fit_whittle(found, burst.device) for burst, found in bursts]
    pooled, homogeneity = _pooled([e.only(("exponent",)) for e in free])
    folds = [fold_of(burst.device) for burst, _ in bursts]
    gain = sum(
        held_out_gain(found, burst.device, fold)
        for (burst, found), fold in zip(bursts, folds, strict=True)
    )
    if exponent is None:
        far = abs(pooled["exponent"] - 1.0) > 2.0 * pooled.stderr("exponent")
        exponent = pooled["exponent"] if far and gain > 0.0 else 1.0
        exponent = float(np.clip(exponent, 1.0, 1.9))
    levels = tuple(
        _burst_fit(burst, found, estimate, exponent)
        for (burst, found), estimate in zip(bursts, free, strict=True)
    )
    return NoiseFit(exponent, pooled, homogeneity, gain, levels, tuple(exclusions))


def _levels(records: Sequence[RepeatedReads]) -> Iterator[RepeatedReads]:
    for record in records:
        for g_target in np.unique(record.g_target):
            at = np.flatnonzero(record.g_target == g_target)
            yield RepeatedReads(
                record.device[at],
                record.g_target[at],
                record.t_s[at],
                record.interval_s,
                np.asarray(record.g[at], dtype=np.float64),
            )


def _unfit(burst: RepeatedReads, instrument: Instrument) -> str:
    """Why the noise of a level cannot be fitted; empty if it can."""
    level = f"at {burst.g_target[0]:g} uS"
    if burst.device.size < FEWEST:
        return f"fewer than {FEWEST} devices {level}"
    if burst.g.shape[1] < _SHORTEST:
        return f"fewer than {_SHORTEST} reads in a row {level}"
    if np.nanmean(burst.g <= 0.5 * instrument.g_step) > 1e-3:
        return f"reads reach zero, where noise is cut off, {level}"
    return ""


def _burst_fit(
    burst: RepeatedReads, found: Periodograms, free: Estimate, exponent: float
) -> BurstFit:
    structure = structure_function(burst.g, burst.interval_s)
    return BurstFit(
        float(burst.g_target[0]),
        float(np.mean(burst.t_s) + 0.5 * burst.interval_s * burst.g.shape[1]),
        float(np.nanmean(burst.g)),
        free,
        fit_whittle(found, burst.device, exponent),
        fit_structure_function(structure, burst.device, exponent),
        structure,
        found,
    )


def _pooled(estimates: Sequence[Estimate]) -> tuple[Estimate, float]:
    """Mean weighted by precision, and the p-value of all being equal."""
    values = np.array([e.values[0] for e in estimates])
    weight: FloatArray = 1.0 / np.array([e.covariance[0, 0] for e in estimates])
    mean, n = float(np.sum(weight * values) / np.sum(weight)), sum(e.n for e in estimates)
    spread = float(np.sum(weight * (values - mean) ** 2))
    p = float(chi2.sf(spread, values.size - 1)) if values.size > 1 else 1.0
    covariance = np.array([[1.0 / np.sum(weight)]])
    return Estimate(estimates[0].names, np.array([mean]), covariance, n), p
