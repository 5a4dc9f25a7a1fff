"""Conductances that no device and no instrument can have read, row by row and over all rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.findings import FAULT, WARNING, Finding
from pcmsim.calibration.records import Instrument
from pcmsim.devices.laws import FloatArray

# Reads may scatter below zero by this many standard deviations of the instrument.
_SCATTER = 5.0
# Rows with fewer reads, or within so many counts of zero, may well agree by chance.
_FEW_READS, _FEW_COUNTS = 5, 8
# Shares of all reads at exactly the highest value: noticed, and refused.
_SATURATED, _USELESS = 0.01, 0.5
_SATURATED_READS = 20
# Rows and columns of a part that units are judged by.
_SAMPLE_ROWS, _SAMPLE_COLUMNS = 2000, 32


@dataclass(frozen=True)
class Summary:
    """What remains of reads whose rows have passed.

    lowest, highest     of all reads [µS]
    reads               how many there are
    at_highest          how many are exactly at the highest, beyond the first of each row
    read                whether there is a read in each column (k,)
    sample              some of the rows (r, k) [µS]
    """

    lowest: float
    highest: float
    reads: int
    at_highest: int
    read: FloatArray
    sample: FloatArray


def row_findings(
    g: FloatArray,
    dataset: str,
    instrument: Instrument,
    device: FloatArray,
    first: int = 0,
    label: Callable[[int], str] = "read {}".format,
) -> Iterator[Finding]:
    """Rows without any read, with infinite or negative ones, or with the same read all the time.

    `g` is (n, k), `device` (n,), `first` the number of the first row; `label` names a column.
    """
    low, high = np.fmin.reduce(g, axis=1), np.fmax.reduce(g, axis=1)
    for at in np.flatnonzero(np.isnan(low)):
        what = f"device {device[at]} has no read at all; nothing can be fitted to this row"
        yield Finding(dataset, first + int(at), what, WARNING, "missing")
    for at in np.flatnonzero(np.isinf(low) | np.isinf(high)):
        k = int(np.argmax(np.isinf(g[at])))
        what = f"{label(k)} of device {device[at]} is infinite; write NaN where a read is missing"
        yield Finding(dataset, first + int(at), what, kind="infinite")
    lowest = 0.0 - _SCATTER * np.sqrt(instrument.g_variance)
    for at in np.flatnonzero((low < lowest) & np.isfinite(low)):
        k = int(np.nanargmin(g[at]))
        what = (
            f"{label(k)} of device {device[at]} is {g[at, k]:g} uS; the noise of the instrument "
            f"explains {lowest:.2g} uS at most: mend the offset, or state g_noise_std"
        )
        yield Finding(dataset, first + int(at), what, kind="negative")
    for at in _constant(g, low, high, instrument):
        what = f"all reads of device {device[at]} are exactly {low[at]:g} uS; is the converter"
        yield Finding(dataset, first + int(at), f"{what} stuck?", WARNING, "constant")


def _constant(
    g: FloatArray, low: FloatArray, high: FloatArray, instrument: Instrument
) -> FloatArray:
    """Rows whose reads agree though they lie well above zero."""
    suspects = np.flatnonzero((low == high) & (low > _FEW_COUNTS * instrument.g_step))
    return np.asarray(suspects[np.isfinite(g[suspects]).sum(axis=1) >= _FEW_READS])


def sampled(n: int) -> FloatArray:
    """Some of `n` rows, from first to last."""
    return np.asarray(np.linspace(0, n - 1, min(n, _SAMPLE_ROWS)).astype(np.int64))


def summary(g: FloatArray, before: Summary | None = None) -> Summary:
    """Summary of the rows of `g` (n, k) and of those `before` them."""
    present = np.isfinite(g)
    read, sample = np.asarray(present.any(axis=0)), g[sampled(len(g)), :_SAMPLE_COLUMNS]
    reads = int(np.count_nonzero(present))
    lowest = float(np.min(g, initial=np.inf, where=present))
    highest = float(np.max(g, initial=-np.inf, where=present))
    if before is not None:
        read, sample = read | before.read, np.concatenate([before.sample, sample])
        reads, lowest = reads + before.reads, min(lowest, before.lowest)
    top = highest if before is None else max(highest, before.highest)
    again = np.maximum(np.count_nonzero(g == top, axis=1) - 1, 0).sum()
    kept = before.at_highest if before is not None and before.highest == top else 0
    return Summary(lowest, top, reads, kept + int(again), read, sample)


def summary_findings(
    found: Summary, dataset: str, empty_column: str = WARNING
) -> Iterator[Finding]:
    """Reads that all agree, or that stand at the full scale, and columns of rows without any."""
    if found.reads == 0:
        yield Finding(dataset, None, "there is no read that is a number", kind="missing")
        return
    for k in np.flatnonzero(~found.read) if len(found.sample) > 1 else ():
        what = f"no device has a read in column {k}; leave the column out"
        yield Finding(dataset, None, what, empty_column, "missing")
    share = found.at_highest / found.reads
    if found.lowest == found.highest and found.reads > 1:
        what = f"all {found.reads:,} reads are {found.highest:g} uS; nothing was measured"
        yield Finding(dataset, None, what, kind="constant")
    elif share >= _SATURATED and found.at_highest >= _SATURATED_READS:
        what = (
            f"{found.at_highest:,} reads ({100.0 * share:.2g} %) are exactly {found.highest:g} uS, "
            f"the highest of all; is this the full scale? Read again in a wider range"
        )
        severity = FAULT if share >= _USELESS else WARNING
        yield Finding(dataset, None, what, severity, "saturated")
