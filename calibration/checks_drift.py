"""What is wrong with drift traces, part by part."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from pcmsim.calibration.checks_keys import (
    few_findings,
    key_findings,
    level_findings,
    turn_findings,
)
from pcmsim.calibration.checks_reads import (
    Summary,
    row_findings,
    sampled,
    summary,
    summary_findings,
)
from pcmsim.calibration.checks_shape import rising_findings, shape_findings, target_findings
from pcmsim.calibration.checks_units import time_unit_findings, unit_findings
from pcmsim.calibration.drift import LEAST_SPAN
from pcmsim.calibration.findings import FAULT, WARNING, Finding
from pcmsim.calibration.records import DriftTraces, Instrument
from pcmsim.devices.laws import FloatArray

_PER_ROW = ("device", "programming", "g_target", "converged")
_WHOLE = ("device", "programming", "converged")
_FEWEST_TIMES = 4


@dataclass
class _Seen:
    """What is kept of the parts so far: a few numbers for each row."""

    n: int = 0
    summary: Summary | None = None
    keys: list[FloatArray] = field(default_factory=list)
    usable: list[FloatArray] = field(default_factory=list)
    sampled: list[FloatArray] = field(default_factory=list)


def drift_findings(
    parts: Iterable[DriftTraces], instrument: Instrument, dataset: str = "drift"
) -> Iterator[Finding]:
    """Faults and warnings of drift traces; `parts` is iterated once, rows count through all.

    In `set_drift` targets mean nothing and are not looked at.
    """
    seen, t_s = _Seen(), None
    for part in parts:
        misshapen = list(shape_findings(part, dataset, _PER_ROW, ("t_s",), seen.n, _WHOLE))
        if misshapen:
            yield from misshapen
            return
        if t_s is None:
            t_s = part.t_s
            yield from _time_findings(t_s, instrument, dataset)
        elif not np.array_equal(part.t_s, t_s):
            what = "times differ from those of row 0; write a file for each set of times"
            yield Finding(dataset, seen.n, what, kind="axis")
            return
        yield from _part_findings(part, instrument, dataset, seen)
    if seen.summary is not None:
        yield from _whole_findings(seen, seen.summary, dataset)


def _time_findings(t_s: FloatArray, instrument: Instrument, dataset: str) -> Iterator[Finding]:
    wrong = list(rising_findings(t_s, dataset, "t_s", "s"))
    yield from wrong
    if wrong:
        return
    yield from time_unit_findings(t_s, instrument.t_read_s, dataset)
    if t_s.size < _FEWEST_TIMES or t_s[-1] < LEAST_SPAN * t_s[0]:
        what = (
            f"{t_s.size} reads from {t_s[0]:g} to {t_s[-1]:g} s cannot tell drift from slow noise; "
            f"take {_FEWEST_TIMES} or more, the last at {LEAST_SPAN * t_s[0]:g} s or later"
        )
        yield Finding(dataset, None, what, WARNING, "span")


def _part_findings(
    part: DriftTraces, instrument: Instrument, dataset: str, seen: _Seen
) -> Iterator[Finding]:
    """Findings of the rows of a part, which is then remembered in `seen`."""
    if dataset == "drift":
        yield from target_findings(part.g_target, dataset, seen.n)
    for at in np.flatnonzero((part.converged != 0) & (part.converged != 1)):
        what = f"converged = {part.converged[at]} must be 0 or 1"
        yield Finding(dataset, seen.n + int(at), what, kind="number")
    yield from row_findings(part.g, dataset, instrument, part.device, seen.n)
    seen.sampled.append(part.g_target[sampled(len(part.g))])
    seen.summary = summary(part.g, seen.summary)
    seen.keys.append(np.stack([part.device, part.programming, part.g_target]))
    seen.usable.append(np.asarray(np.isfinite(part.g).any(axis=1) & (part.converged == 1)))
    seen.n += len(part.g)


def _whole_findings(seen: _Seen, found: Summary, dataset: str) -> Iterator[Finding]:
    device, programming, g_target = np.concatenate(seen.keys, axis=1)
    usable = np.concatenate(seen.usable)
    # Fits need every pair of times on some device.
    yield from summary_findings(found, dataset, empty_column=FAULT)
    yield from key_findings((device, programming), ("device", "programming"), dataset)
    yield from turn_findings(device, programming, "programming", dataset)
    if dataset == "drift":
        yield from unit_findings(found.sample, dataset, np.concatenate(seen.sampled))
        yield from level_findings(g_target, device, usable, dataset)
    else:
        yield from unit_findings(found.sample, dataset)
        yield from few_findings(device[usable], dataset)
