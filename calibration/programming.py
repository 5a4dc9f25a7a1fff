"""Where closed-loop programming leaves devices, from what was written and read level by level.

An accepted verify read lies within the tolerance of its target, and is therefore no measure of
the placement: it is the read that was selected. The placement is that of the true conductance,
which later reads see with noise of their own; the likelihood of `programming_model` joins both.
Its errors hold at the age of the verify read, and are carried to t0 by the drift of the level.
"""

from dataclasses import dataclass, replace

import numpy as np

from pcmsim.calibration.estimate import Exclusion, Unidentified
from pcmsim.calibration.programming_level import (
    Known,
    PlacedLevel,
    fit_level,
    noise_growth,
    window_of,
)
from pcmsim.calibration.records import Instrument, ProgrammedLevels
from pcmsim.calibration.tally import FEWEST

# Later reads that tell noise from drift: this many, over this factor of time.
_READS, _SPAN = 3, 10.0
_LISTED = 1000


@dataclass(frozen=True)
class ProgrammingFit:
    """All targets, what was left out, and what the windows do not tell.

    tolerance           half width of the window [µS]
    verify_after_s, t0_s
                        ages at which `placement` and `reference` hold [s]
    growth              exponent h of the noise against conductance, std ~ G^h, that was used
    """

    tolerance: float
    verify_after_s: float
    t0_s: float
    growth: float
    levels: tuple[PlacedLevel, ...]
    exclusions: tuple[Exclusion, ...]
    unidentified: tuple[Unidentified, ...]


def fit_programming(
    levels: ProgrammedLevels,
    instrument: Instrument,
    t0_s: float,
    exponent: float = 1.0,
    known: Known | None = None,
) -> ProgrammingFit:
    """Fit every target of closed-loop programming by maximum likelihood.

    `t0_s` is the age at which conductances are defined [s], `exponent` the γ of the read noise.
    Noise and drift of a level are fitted from three or more later reads over a decade; from fewer,
    they are taken from `known`. How noise grows with the conductance, which matters within a wide
    window, comes from `known`, else from the scatter at all targets; one target alone is taken to
    have no such growth.

    Left out, and counted: devices that were not accepted (they count among the pulses), accepted
    ones without verify read, targets of fewer than 20 accepted devices, with a window that reaches
    zero, or without reads that tell placement from noise. For pulses that spread widely the spread
    of the true conductance is √(τ²/3 + σ_v²).
    """
    used, exclusions = _usable(levels, known)
    windows = [window_of(levels, rows, instrument, exponent) for _, rows in used]
    growth = noise_growth(windows, known)
    fixed = None if _tells_noise(levels) else known
    placed = [
        fit_level(levels, at, replace(window, growth=growth), t0_s, fixed)
        for (at, _), window in zip(used, windows, strict=True)
    ]
    lost = tuple(_untold(level) for level in placed if not level.sees_spread)
    tolerance, verify_after_s = float(levels.tolerance), float(levels.verify_after_s)
    return ProgrammingFit(
        tolerance, verify_after_s, t0_s, growth, tuple(placed), tuple(exclusions), lost
    )


def _usable(
    levels: ProgrammedLevels, known: Known | None
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[Exclusion]]:
    """For each target that can be fitted all its rows and those that are; and what is left out."""
    usable, exclusions = [], list[Exclusion]()
    accepted = np.asarray(levels.converged, dtype=bool)
    blank = np.isnan(levels.g_verify)
    for g_target in np.unique(levels.g_target):
        of_level = levels.g_target == g_target
        at, rows = np.flatnonzero(of_level), np.flatnonzero(of_level & accepted & ~blank)
        reason = _unfit(levels, float(g_target), rows.size, known)
        if reason:
            exclusions.append(_exclusion(f"{reason} at {g_target:g} uS", at))
            continue
        usable.append((at, rows))
        for reason, left in (
            ("programming did not converge", of_level & ~accepted),
            ("the verify read is missing", of_level & accepted & blank),
        ):
            if left.any():
                exclusions.append(_exclusion(f"{reason} at {g_target:g} uS", np.flatnonzero(left)))
    return usable, exclusions


def _exclusion(reason: str, rows: np.ndarray) -> Exclusion:
    return Exclusion("levels", reason, rows.size, rows=tuple(int(row) for row in rows[:_LISTED]))


def _unfit(levels: ProgrammedLevels, g_target: float, n: int, known: Known | None) -> str:
    """Why a target cannot be fitted; empty if it can."""
    if g_target <= levels.tolerance:
        return "the window reaches zero, so that RESET is accepted as well,"
    if n < FEWEST:
        return f"fewer than {FEWEST} accepted devices"
    if known is None and not _tells_noise(levels):
        return "no reads that tell placement from noise"
    return ""


def _tells_noise(levels: ProgrammedLevels) -> bool:
    after, enough = levels.read_after_s, np.isfinite(levels.g).any(axis=0)
    after = after[enough]
    return after.size >= _READS and bool(after[-1] >= _SPAN * after[0])


def _untold(level: PlacedLevel) -> Unidentified:
    return Unidentified(
        f"spread of single pulses at {level.g_target:g} uS",
        "verify reads fill the window evenly: pulses spread much wider than it",
        "programming curves, or closed-loop programming with a wider tolerance",
        "nothing; the placement of accepted devices does not depend on it",
    )
