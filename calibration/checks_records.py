"""What is wrong with bursts of reads, SET staircases, programming curves and yield maps."""

from collections.abc import Callable, Iterator

import numpy as np

from pcmsim.calibration.checks_keys import (
    few_findings,
    key_findings,
    level_findings,
    turn_findings,
)
from pcmsim.calibration.checks_reads import row_findings, sampled, summary, summary_findings
from pcmsim.calibration.checks_shape import (
    positive_findings,
    rising_findings,
    shape_findings,
    target_findings,
)
from pcmsim.calibration.checks_units import unit_findings
from pcmsim.calibration.findings import WARNING, Finding
from pcmsim.calibration.records import (
    NOT_TUNABLE,
    UNKNOWN,
    Instrument,
    ProgrammingCurve,
    RepeatedReads,
    SetStaircases,
    YieldMap,
)
from pcmsim.devices.laws import FloatArray

# Verdicts of a tester, see `pcmsim.calibration.records`.
_STATES = tuple(range(UNKNOWN, NOT_TUNABLE + 1))


def reads_findings(
    reads: RepeatedReads, instrument: Instrument, dataset: str = "reads"
) -> Iterator[Finding]:
    """Faults and warnings of bursts of reads."""
    yield from positive_findings(reads.interval_s, dataset, "interval_s", "s")
    if 0.0 < reads.interval_s < 0.999 * instrument.t_read_s:
        what = f"a read every {reads.interval_s:g} s, but one takes t_read_s = "
        what += f"{instrument.t_read_s:g} s; check the units of both"
        yield Finding(dataset, None, what, kind="unit")
    misshapen = list(
        shape_findings(reads, dataset, ("device", "g_target", "t_s"), (None,), whole=("device",))
    )
    yield from misshapen
    if misshapen:
        return
    for at in np.flatnonzero(~(np.isfinite(reads.t_s) & (reads.t_s > 0.0))):
        what = f"t_s = {reads.t_s[at]:g} s must be above 0, since the last pulse, and finite"
        yield Finding(dataset, int(at), what, kind="axis")
    yield from target_findings(reads.g_target, dataset)
    yield from row_findings(reads.g, dataset, instrument, reads.device)
    found = summary(reads.g)
    yield from summary_findings(found, dataset)
    yield from unit_findings(found.sample, dataset, reads.g_target[sampled(len(reads.g))])
    yield from key_findings((reads.device, reads.g_target), ("device", "g_target"), dataset)
    usable = np.asarray(np.isfinite(reads.g).any(axis=1))
    yield from level_findings(reads.g_target, reads.device, usable, dataset)


def staircase_findings(
    staircases: SetStaircases, instrument: Instrument, dataset: str = "staircase"
) -> Iterator[Finding]:
    """Faults and warnings of SET staircases."""
    yield from positive_findings(staircases.interval_s, dataset, "interval_s", "s")
    misshapen = list(
        shape_findings(
            staircases,
            dataset,
            ("device", "cycle"),
            (None, "read_after_s"),
            whole=("device", "cycle"),
        )
    )
    yield from misshapen
    if misshapen:
        return
    after, n = staircases.read_after_s, staircases.read_after_s.size
    yield from rising_findings(after, dataset, "read_after_s", "s")
    if after[-1] >= staircases.interval_s > 0.0:
        what = f"the last read is {after[-1]:g} s after a pulse, but the next pulse comes after "
        what += f"interval_s = {staircases.interval_s:g} s; check the units of both"
        yield Finding(dataset, None, what, kind="unit")
    flat, device = staircases.g.reshape(len(staircases.g), -1), staircases.device

    def label(k: int) -> str:
        return f"read {k % n} after pulse {k // n}"

    yield from _g_findings(flat, dataset, instrument, device, label)
    yield from key_findings((device, staircases.cycle), ("device", "cycle"), dataset)
    yield from turn_findings(device, staircases.cycle, "cycle", dataset)
    yield from few_findings(device, dataset)


def curve_findings(
    curve: ProgrammingCurve, instrument: Instrument, dataset: str = "curve"
) -> Iterator[Finding]:
    """Faults and warnings of programming curves."""
    if curve.unit not in ("uA", "V"):
        what = f"unit = {curve.unit!r:.20} of the amplitude; known are uA and V"
        yield Finding(dataset, None, what, kind="unit")
    yield from positive_findings(curve.t_s, dataset, "t_s", "s")
    misshapen = list(
        shape_findings(
            curve, dataset, ("device", "sweep"), ("amplitude",), whole=("device", "sweep")
        )
    )
    yield from misshapen
    if misshapen:
        return
    unit = {"uA": "uA", "V": "V"}.get(curve.unit, "")
    yield from rising_findings(curve.amplitude, dataset, "amplitude", unit)
    yield from _amplitude_findings(curve.amplitude, unit, dataset)
    yield from _g_findings(curve.g, dataset, instrument, curve.device)
    yield from key_findings((curve.device, curve.sweep), ("device", "sweep"), dataset)
    yield from turn_findings(curve.device, curve.sweep, "sweep", dataset)
    yield from few_findings(curve.device, dataset)


def _amplitude_findings(amplitude: FloatArray, unit: str, dataset: str) -> Iterator[Finding]:
    """Amplitudes that melt nothing, or everything."""
    highest = float(np.max(amplitude))
    low, high, lower, higher = (1.0, 1e5, "mA", "nA") if unit == "uA" else (0.1, 100.0, "kV", "mV")
    if unit and not low <= highest <= high:
        other = lower if highest < low else higher
        what = f"amplitudes end at {highest:g} {unit}; were they in {other}? State the unit"
        yield Finding(dataset, None, what, WARNING, "unit")


def yield_findings(
    yields: YieldMap, instrument: Instrument, dataset: str = "yields"
) -> Iterator[Finding]:
    """Faults and warnings of a yield map."""
    n = np.size(yields.device)
    for name in ("device", "row", "column", "g_min", "g_max", "state"):
        values = getattr(yields, name)
        kinds = "iuf" if name in ("g_min", "g_max") else "iu"
        if np.shape(values) != (n,) or n == 0 or np.asarray(values).dtype.kind not in kinds:
            found = f"shape {np.shape(values)} and holds {np.asarray(values).dtype}"
            what = f"{name} has {found}; it needs one number for each of {n} devices"
            yield Finding(dataset, None, what, kind="shape")
            return
    g, labels = np.stack([yields.g_min, yields.g_max], axis=1), ("g_min", "g_max")
    yield from row_findings(g, dataset, instrument, yields.device, label=labels.__getitem__)
    yield from summary_findings(summary(yields.g_max[None]), dataset)
    yield from unit_findings(yields.g_max, dataset)
    yield from key_findings((yields.device,), ("device",), dataset)
    yield from key_findings((yields.row, yields.column), ("row", "column"), dataset)
    for at in np.flatnonzero(~np.isin(yields.state, _STATES)):
        known = ", ".join(str(state) for state in _STATES)
        what = f"state = {yields.state[at]} of device {yields.device[at]}; known are {known}"
        yield Finding(dataset, int(at), what, kind="state")


def _g_findings(
    g: FloatArray,
    dataset: str,
    instrument: Instrument,
    device: FloatArray,
    label: Callable[[int], str] = "read {}".format,
) -> Iterator[Finding]:
    yield from row_findings(g, dataset, instrument, device, label=label)
    found = summary(g)
    yield from summary_findings(found, dataset)
    yield from unit_findings(found.sample, dataset)
