"""What is wrong with a record of closed-loop programming, by row; nothing is corrected here."""

from collections.abc import Iterator

import numpy as np

from pcmsim.calibration.records import Instrument, ProgrammedLevels

# Standard deviations of the instrument by which an accepted read may lie outside its window, and
# the share of the tolerance, for rounding.
_SURE, _ROUNDING = 5.0, 0.05


def length_faults(levels: ProgrammedLevels) -> Iterator[str]:
    """Fields that do not have one entry for each row, or each later read, of `g`."""
    rows, reads = np.shape(levels.g)
    for name in ("iterations", "converged", "g_verify"):
        if len(getattr(levels, name)) != rows:
            yield f"levels: {len(getattr(levels, name))} {name} but {rows} rows of g"
    if len(levels.read_after_s) != reads:
        yield f"levels: {len(levels.read_after_s)} times but {reads} reads in each row of g"


def level_faults(levels: ProgrammedLevels, instrument: Instrument) -> Iterator[str]:
    """Faults of numbers that only this record has, each as a line with row, value and way out."""
    yield from _number_faults(levels)
    bad = np.flatnonzero(np.asarray(levels.iterations) < 1)
    if bad.size:
        yield (
            f"levels: row {bad[0]} (device {levels.device[bad[0]]}): iterations = "
            f"{levels.iterations[bad[0]]} must be 1 or more, the pulses the device was given"
        )
    unknown = np.flatnonzero(~np.isin(levels.converged, (0, 1)))
    if unknown.size:
        row = unknown[0]
        yield f"levels: row {row}: converged = {levels.converged[row]:g} must be 0 or 1"
    yield from _outside(levels, instrument)


def _number_faults(levels: ProgrammedLevels) -> Iterator[str]:
    if not 0.0 < levels.tolerance < np.inf:
        yield f"levels: tolerance = {levels.tolerance:g} uS must be above 0, half of the window"
    elif levels.g_target.size and levels.tolerance > 2.0 * np.max(levels.g_target):
        yield (
            f"levels: tolerance = {levels.tolerance:g} uS is wider than every target, up to "
            f"{np.max(levels.g_target):g} uS; state it in microsiemens, not in counts or per cent"
        )
    if not 0.0 < levels.verify_after_s < np.inf:
        yield (
            f"levels: verify_after_s = {levels.verify_after_s:g} s must be above 0; times count "
            f"from the last pulse"
        )
    elif levels.read_after_s.size and levels.read_after_s[0] <= levels.verify_after_s:
        yield (
            f"levels: read_after_s[0] = {levels.read_after_s[0]:g} s is not after the verify read, "
            f"{levels.verify_after_s:g} s; both count from the last pulse"
        )


def _outside(levels: ProgrammedLevels, instrument: Instrument) -> Iterator[str]:
    """Accepted reads that no window of this tolerance can have accepted."""
    slack = _SURE * float(np.sqrt(instrument.g_variance)) + _ROUNDING * abs(levels.tolerance)
    accepted = np.asarray(levels.converged, dtype=bool)
    with np.errstate(invalid="ignore"):
        error = np.abs(levels.g_verify - levels.g_target)
        bad = np.flatnonzero(accepted & (error > levels.tolerance + slack))
    if bad.size:
        row = bad[0]
        yield (
            f"levels: row {row} (device {levels.device[row]}): converged, but its verify read "
            f"{levels.g_verify[row]:g} uS is {error[row]:.3g} uS from its target "
            f"{levels.g_target[row]:g} uS, outside of the tolerance {levels.tolerance:g} uS "
            f"({bad.size} such rows); mend converged, units or tolerance"
        )
