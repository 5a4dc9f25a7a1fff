"""Programming curves amplitude by amplitude: slow trend apart from sweep-to-sweep scatter.

For amplitudes that no law of a parameter set is written in, such as word-line voltages, and for one
device that was swept often. Conductances over decades spread in ln G, so all is given in both.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.records import ProgrammingCurve
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

FEWEST_SWEEPS = 20


@dataclass(frozen=True)
class Column:
    """One quantity at each amplitude, in its own unit (k,).

    mean, mean_stderr   over all sweeps; the error is that of the means of blocks of successive
                        sweeps (or of devices, if there are ten), so that sweeps may be correlated
    std                 over all sweeps
    scatter             from sweep to sweep alone: √(½ E (y_{j+1} - y_j)²)
    trend               the rest, √(std² - scatter²), 0 if there is none: what changes slowly, and
                        what devices differ by
    slope, slope_stderr change per 100 sweeps of a device, error as above
    """

    mean: FloatArray
    mean_stderr: FloatArray
    std: FloatArray
    scatter: FloatArray
    trend: FloatArray
    slope: FloatArray
    slope_stderr: FloatArray


@dataclass(frozen=True)
class SweepTable:
    """A programming curve in numbers.

    n               reads at each amplitude (k,)
    unit            of the amplitude, "uA" or "V"
    blocks          blocks of sweeps, or devices, that standard errors rest on
    g, log_g        of G [µS] and of ln G; reads that are not above zero are missing from the latter
    missing, not_positive
                    reads that are missing, and reads that ln G lacks
    """

    amplitude: FloatArray
    unit: str
    devices: int
    sweeps: int
    blocks: int
    n: FloatArray
    g: Column
    log_g: Column
    missing: int
    not_positive: int


def tabulate_sweeps(curve: ProgrammingCurve) -> SweepTable:
    """Mean, spread, scatter and trend at every amplitude.

    Von Neumann, Ann. Math. Stat. 12, 367 (1941), doi:10.1214/aoms/1177731677, for the scatter;
    means of √n blocks for the errors. Raises `DataError` for fewer than twenty sweeps in all.
    """
    order = np.lexsort((curve.sweep, curve.device))
    device, sweep = curve.device[order], curve.sweep[order]
    g = np.asarray(curve.g[order], dtype=np.float64)
    if len(g) < FEWEST_SWEEPS:
        raise DataError(
            f"curve: {len(g)} sweeps; {FEWEST_SWEEPS} are needed for a spread from sweep to sweep"
        )
    names, which = np.unique(device, return_inverse=True)
    block = which if names.size >= 10 else np.arange(len(g)) * int(np.sqrt(len(g))) // len(g)
    log_g = np.log(np.where(g > 0.0, g, np.nan))
    present = np.isfinite(g)
    return SweepTable(
        np.asarray(curve.amplitude),
        curve.unit,
        names.size,
        len(g),
        int(block.max()) + 1,
        present.sum(axis=0),
        _column(g, which, sweep, block),
        _column(log_g, which, sweep, block),
        int((~present).sum()),
        int((present & ~np.isfinite(log_g)).sum()),
    )


def _column(y: FloatArray, which: np.ndarray, sweep: np.ndarray, block: np.ndarray) -> Column:
    count = np.isfinite(y).sum(axis=0)
    mean, std = _moments(y)
    along = which[1:] == which[:-1]
    step = np.diff(y, axis=0)[along]
    pairs = np.isfinite(step).sum(axis=0)
    square = np.nansum(step**2, axis=0)
    scatter = np.where(pairs > 0, np.sqrt(square / np.maximum(2 * pairs, 1)), np.nan)
    time = np.where(np.isfinite(y), (sweep / 100.0)[:, None], np.nan)
    time = time - _moments(time)[0]
    off = y - mean
    weight = np.nansum(time**2, axis=0)
    slope = np.nansum(time * off, axis=0) / np.where(weight > 0.0, weight, np.nan)
    return Column(
        mean,
        _block_stderr(off, block) / np.maximum(count, 1),
        std,
        scatter,
        np.sqrt(np.maximum(std**2 - scatter**2, 0.0)),
        slope,
        _block_stderr(time * (off - slope * time), block) / np.where(weight > 0.0, weight, np.nan),
    )


def _moments(y: FloatArray) -> tuple[FloatArray, FloatArray]:
    count = np.isfinite(y).sum(axis=0)
    mean = np.nansum(y, axis=0) / np.where(count > 0, count, np.nan)
    square = np.nansum((y - mean) ** 2, axis=0)
    return mean, np.sqrt(square / np.where(count > 1, count - 1, np.nan))


def _block_stderr(off: FloatArray, block: np.ndarray) -> FloatArray:
    """Standard error of the sum of `off` from the sums of its blocks."""
    sums = np.array([np.nansum(off[block == b], axis=0) for b in range(int(block.max()) + 1)])
    return np.asarray(np.sqrt(np.sum(sums**2, axis=0) * len(sums) / (len(sums) - 1)))
