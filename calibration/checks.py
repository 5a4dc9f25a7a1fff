"""What is wrong with records, by data set and row; nothing is corrected or left out here."""

from collections.abc import Iterator, Sequence

import numpy as np

from pcmsim.calibration.checks_levels import length_faults, level_faults
from pcmsim.calibration.records import (
    Campaign,
    DriftTraces,
    Instrument,
    ProgrammedLevels,
    RepeatedReads,
    YieldMap,
)
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

# Conductances of resistive and phase-change cells lie well within [µS].
_LEAST_G, _MOST_G = 1e-3, 1e4
# Reads may scatter below zero by this many standard deviations of the instrument.
_SCATTER = 5.0
_MOST_TARGETS = 512


def check_campaign(campaign: Campaign) -> None:
    """Raise `DataError` with the first fault and the number of others; drift is iterated once."""
    faults = list(campaign_faults(campaign))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise DataError(f"{faults[0]}{more}")


def campaign_faults(campaign: Campaign) -> Iterator[str]:
    """Every fault of a campaign as a line: data set, row, value, and what is allowed."""
    yield from _instrument_faults(campaign.instrument)
    yield from _drift_faults(campaign)
    for i, reads in enumerate(campaign.reads):
        name = "reads" if i == 0 else f"reads_{i + 1}"
        yield from _reads_faults(reads, name, campaign.instrument)
    if campaign.yields is not None:
        yield from _yield_faults(campaign.yields, campaign.instrument)
    if campaign.levels is not None:
        yield from _level_faults(campaign.levels, campaign.instrument)


def _instrument_faults(instrument: Instrument) -> Iterator[str]:
    if not 0.0 < instrument.t_read_s < 1e4:
        yield f"instrument: t_read_s = {instrument.t_read_s:g} s must be above 0 and below 1e4"
    for name in ("g_step", "g_noise_std"):
        value = getattr(instrument, name)
        if not 0.0 <= value < _MOST_G:
            yield f"instrument: {name} = {value:g} uS must be from 0 to {_MOST_G:g}"


def _drift_faults(campaign: Campaign) -> Iterator[str]:
    first, t_s, keys, sample = 0, None, [], []
    for part in campaign.drift:
        if t_s is None:
            t_s = part.t_s
            yield from _time_faults(part.t_s, "drift")
        misshapen = list(_shape_faults(part, "drift", first))
        if misshapen:
            yield from misshapen
            return
        yield from _row_faults(part.g_target, "drift", "g_target", first)
        yield from _conductance_faults(part.g, "drift", campaign.instrument, first, part.device)
        keys.append(np.stack([part.device, part.programming]))
        sample.append(part.g[: max(1, 10_000 // max(part.g.shape[1], 1))].ravel())
        first += part.g.shape[0]
    if first == 0:
        return
    yield from _duplicates(np.concatenate(keys, axis=1), "drift", ("device", "programming"))
    yield from unit_faults(np.concatenate(sample), "drift")


def _reads_faults(reads: RepeatedReads, name: str, instrument: Instrument) -> Iterator[str]:
    if not (np.isfinite(reads.interval_s) and reads.interval_s > 0.0):
        yield f"{name}: interval_s = {reads.interval_s:g} s must be above 0"
    misshapen = list(_shape_faults(reads, name, 0))
    if misshapen:
        yield from misshapen
        return
    yield from _row_faults(reads.g_target, name, "g_target", 0)
    for row in np.flatnonzero(~(reads.t_s > 0.0))[:1]:
        yield f"{name}: row {row}: t_s = {reads.t_s[row]:g} s must be above 0, since the last pulse"
    yield from _conductance_faults(reads.g, name, instrument, 0, reads.device)
    yield from _duplicates(reads.device[None], name, ("device",))
    yield from unit_faults(reads.g, name)


def _yield_faults(yields: YieldMap, instrument: Instrument) -> Iterator[str]:
    for name in ("g_min", "g_max"):
        g = getattr(yields, name)[:, None]
        yield from _conductance_faults(g, f"yields/{name}", instrument, 0, yields.device)
    yield from _duplicates(yields.device[None], "yields", ("device",))
    unknown = ~np.isin(yields.state, (-1, 0, 1, 2, 3))
    for row in np.flatnonzero(unknown)[:1]:
        yield f"yields: row {row}: state = {yields.state[row]}; known are -1, 0, 1, 2 and 3"
    yield from unit_faults(yields.g_max, "yields/g_max")


def _level_faults(levels: ProgrammedLevels, instrument: Instrument) -> Iterator[str]:
    misshapen = [*_shape_faults(levels, "levels", 0), *length_faults(levels)]
    if misshapen:
        yield from misshapen
        return
    yield from _row_faults(levels.g_target, "levels", "g_target", 0)
    yield from _time_faults(levels.read_after_s, "levels")
    for name, g in (("g", levels.g), ("g_verify", levels.g_verify[:, None])):
        yield from _conductance_faults(g, f"levels/{name}", instrument, 0, levels.device)
    keys = np.stack([levels.device, levels.g_target])
    yield from _duplicates(keys, "levels", ("device", "g_target"))
    units = list(unit_faults(levels.g, "levels"))
    yield from units
    if not units:
        yield from level_faults(levels, instrument)


def _shape_faults(
    record: DriftTraces | RepeatedReads | ProgrammedLevels, name: str, first: int
) -> Iterator[str]:
    n = record.g.shape[0]
    if n == 0 or record.g.shape[1] == 0:
        yield f"{name}: there are no reads"
    elif len(record.device) != n or len(record.g_target) != n:
        yield f"{name}: {len(record.device)} devices but {n} rows of g from row {first} on"


def _time_faults(t_s: FloatArray, name: str) -> Iterator[str]:
    bad = np.flatnonzero(~(np.isfinite(t_s) & (t_s > 0.0)))
    if bad.size:
        yield (
            f"{name}: t_s[{bad[0]}] = {t_s[bad[0]]:g} s must be above 0; times count from the last "
            f"pulse"
        )
    falling = np.flatnonzero(np.diff(t_s) <= 0.0)
    if falling.size:
        k = int(falling[0])
        yield f"{name}: t_s[{k + 1}] = {t_s[k + 1]:g} s follows {t_s[k]:g} s; sort the times"


def _row_faults(g_target: FloatArray, name: str, what: str, first: int) -> Iterator[str]:
    bad = np.flatnonzero(~(np.isfinite(g_target) & (g_target >= 0.0)))
    if bad.size:
        yield f"{name}: row {first + bad[0]}: {what} = {g_target[bad[0]]:g} uS must be 0 or more"
    levels = np.unique(g_target).size
    if levels > _MOST_TARGETS:
        yield (
            f"{name}: {levels} different targets; levels need many devices each, {_MOST_TARGETS} "
            f"targets at most: write what was aimed at, not what was reached"
        )


def _conductance_faults(
    g: FloatArray, name: str, instrument: Instrument, first: int, device: FloatArray
) -> Iterator[str]:
    infinite = np.argwhere(np.isinf(g))
    if infinite.size:
        row, k = infinite[0]
        yield f"{name}: row {first + row} (device {device[row]}): read {k} is infinite"
    lowest = -_SCATTER * np.sqrt(instrument.g_variance)
    with np.errstate(invalid="ignore"):
        negative = np.argwhere(g < lowest)
    if negative.size:
        row, k = negative[0]
        yield (
            f"{name}: row {first + row} (device {device[row]}): read {k} is {g[row, k]:g} uS; the "
            f"noise of the instrument explains {lowest:.2g} uS at most: mend the offset, or state "
            f"g_noise_std"
        )


def _duplicates(keys: np.ndarray, name: str, names: Sequence[str]) -> Iterator[str]:
    order = np.lexsort(keys)
    same = np.flatnonzero(np.all(keys[:, order[1:]] == keys[:, order[:-1]], axis=0))
    if same.size:
        a, b = sorted((int(order[same[0]]), int(order[same[0] + 1])))
        what = ", ".join(f"{n} {k:.12g}" for n, k in zip(names, keys[:, a], strict=True))
        yield f"{name}: row {b}: {what} is already in row {a}; every row needs its own"


def unit_faults(g: FloatArray, name: str) -> Iterator[str]:
    """A unit that was mistaken: siemens read as microsiemens, and the like."""
    with np.errstate(invalid="ignore"):
        positive = g[np.isfinite(g) & (g > 0.0)]
    if positive.size == 0:
        yield f"{name}: no read is above zero"
        return
    typical = float(np.percentile(positive, 90))
    if typical < _LEAST_G:
        yield (
            f"{name}: conductances are about {typical:.2g} uS; were they in siemens? Then they are "
            f"{typical * 1e6:.2g} uS: state the unit S"
        )
    elif typical > _MOST_G:
        right = 1e6 / typical
        yield (
            f"{name}: conductances are about {typical:.2g} uS; were they in ohm (then about "
            f"{right:.2g} uS: state the unit ohm), or in pS?"
        )
