"""What is wrong with a record of closed-loop programming, by row; nothing is corrected here."""

from collections.abc import Iterator

import numpy as np

from pcmsim.calibration.checks_keys import key_findings
from pcmsim.calibration.checks_reads import row_findings, sampled, summary, summary_findings
from pcmsim.calibration.checks_shape import rising_findings, shape_findings, target_findings
from pcmsim.calibration.checks_units import unit_findings
from pcmsim.calibration.findings import Finding
from pcmsim.calibration.records import Instrument, ProgrammedLevels

# Standard deviations of the instrument by which an accepted read may lie outside its window, and
# the share of the tolerance, for rounding.
_SURE, _ROUNDING = 5.0, 0.05


def programmed_findings(
    levels: ProgrammedLevels, instrument: Instrument, dataset: str = "levels"
) -> Iterator[Finding]:
    """Faults and warnings of closed-loop programming."""
    columns = ("device", "g_target")
    misshapen = [
        *shape_findings(levels, dataset, columns, ("read_after_s",), whole=("device",)),
        *_length_findings(levels),
    ]
    yield from misshapen
    if misshapen:
        return
    yield from target_findings(levels.g_target, dataset)
    yield from rising_findings(levels.read_after_s, dataset, "read_after_s", "s")
    verify = np.asarray(levels.g_verify)[:, None]
    yield from row_findings(levels.g, dataset, instrument, levels.device)
    yield from row_findings(
        verify, dataset, instrument, levels.device, label=lambda _: "the verify read"
    )
    found = summary(levels.g)
    yield from summary_findings(found, dataset)
    units = list(unit_findings(found.sample, dataset, levels.g_target[sampled(len(levels.g))]))
    yield from units
    yield from key_findings((levels.device, levels.g_target), columns, dataset)
    if not units:
        yield from _own_findings(levels, instrument)


def _length_findings(levels: ProgrammedLevels) -> Iterator[Finding]:
    """Fields that do not have one entry for each row of `g`."""
    rows = len(levels.g)
    for name in ("iterations", "converged", "g_verify"):
        if len(getattr(levels, name)) != rows:
            what = f"{len(getattr(levels, name))} {name} but {rows} rows of g"
            yield Finding("levels", None, what, kind="shape")


def _own_findings(levels: ProgrammedLevels, instrument: Instrument) -> Iterator[Finding]:
    """Faults of numbers that only this record has."""
    yield from _number_findings(levels)
    bad = np.flatnonzero(np.asarray(levels.iterations) < 1)
    if bad.size:
        what = (
            f"iterations = {levels.iterations[bad[0]]} of device {levels.device[bad[0]]} must be "
        )
        what += "1 or more, the pulses the device was given"
        yield Finding("levels", int(bad[0]), what, kind="number")
    unknown = np.flatnonzero(~np.isin(levels.converged, (0, 1)))
    if unknown.size:
        row = int(unknown[0])
        what = f"converged = {levels.converged[row]:g} must be 0 or 1"
        yield Finding("levels", row, what, kind="number")
    yield from _outside(levels, instrument)


def _number_findings(levels: ProgrammedLevels) -> Iterator[Finding]:
    if not 0.0 < levels.tolerance < np.inf:
        what = f"tolerance = {levels.tolerance:g} uS must be above 0, half of the window"
        yield Finding("levels", None, what, kind="number")
    elif levels.g_target.size and levels.tolerance > 2.0 * np.max(levels.g_target):
        what = f"tolerance = {levels.tolerance:g} uS is wider than every target, up to "
        what += (
            f"{np.max(levels.g_target):g} uS; state it in microsiemens, not in counts or per cent"
        )
        yield Finding("levels", None, what, kind="unit")
    if not 0.0 < levels.verify_after_s < np.inf:
        what = f"verify_after_s = {levels.verify_after_s:g} s must be above 0; times count "
        what += "from the last pulse"
        yield Finding("levels", None, what, kind="axis")
    elif levels.read_after_s.size and levels.read_after_s[0] <= levels.verify_after_s:
        what = f"read_after_s[0] = {levels.read_after_s[0]:g} s is not after the verify read, "
        what += f"{levels.verify_after_s:g} s; both count from the last pulse"
        yield Finding("levels", None, what, kind="axis")


def _outside(levels: ProgrammedLevels, instrument: Instrument) -> Iterator[Finding]:
    """Accepted reads that no window of this tolerance can have accepted."""
    slack = _SURE * float(np.sqrt(instrument.g_variance)) + _ROUNDING * abs(levels.tolerance)
    accepted = np.asarray(levels.converged, dtype=bool)
    with np.errstate(invalid="ignore"):
        error = np.abs(levels.g_verify - levels.g_target)
        bad = np.flatnonzero(accepted & (error > levels.tolerance + slack))
    if bad.size:
        row = int(bad[0])
        what = f"device {levels.device[row]} converged, but its verify read "
        what += f"{levels.g_verify[row]:g} uS is {error[row]:.3g} uS from its target "
        what += f"{levels.g_target[row]:g} uS, outside of the tolerance {levels.tolerance:g} uS "
        what += f"({bad.size} such rows); mend converged, units or tolerance"
        yield Finding("levels", row, what, kind="level")
