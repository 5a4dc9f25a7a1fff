"""Ramps of gradual devices, sorted for a fit, and what of them is independent of the rest."""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.estimate import Exclusion
from pcmsim.calibration.records import IntArray, SetStaircases
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

# Clusters that standard errors can rest on, blocks that few ramps are cut into, and reads at least.
FEWEST_CLUSTERS, BLOCKS, FEWEST_STEPS = 10, 25, 30


@dataclass(frozen=True)
class Ramps:
    """Ramps that a fit uses, those of a device one after another.

    device          number of the device (n,)
    g               conductance read [µS] (n, p + 1, r); [:, 0] before the first pulse
    cluster         number of the device, ramp or block that a read belongs to (n, p + 1)
    unit            what a cluster is: "devices", "ramps", or "blocks of pulses"
    """

    device: IntArray
    g: FloatArray
    cluster: IntArray
    unit: str
    exclusions: tuple[Exclusion, ...]

    @property
    def new_device(self) -> IntArray:
        """1 where a device begins (n,)."""
        return np.append(1, self.device[1:] != self.device[:-1]).astype(np.int64)

    @property
    def devices(self) -> int:
        """How many devices there are."""
        return int(self.new_device.sum())

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return int(self.cluster.max()) + 1

    @property
    def reads(self) -> IntArray:
        """How many reads there are after each pulse (n, p + 1)."""
        return np.asarray(np.isfinite(self.g).sum(axis=2))

    @property
    def mean(self) -> FloatArray:
        """Mean of the reads after each pulse [µS] (n, p + 1), NaN without any."""
        present = self.reads
        return np.where(present, np.nansum(self.g, axis=2) / np.maximum(present, 1), np.nan)

    @property
    def range_us(self) -> tuple[float, float]:
        """Lowest and highest conductance read [µS]."""
        return float(np.nanmin(self.g)), float(np.nanmax(self.g))


def sort_ramps(staircases: SetStaircases) -> Ramps:
    """Sort ramps by device and cycle; those with fewer than two steps read are counted, not used.

    Clusters are devices where there are ten or more, else ramps where there are ten or more, else
    blocks of consecutive pulses. Raises `DataError` for fewer than thirty increments in all, or
    reads that never differ.
    """
    order = np.lexsort((staircases.cycle, staircases.device))
    g = np.array(staircases.g[order], dtype=np.float64)
    device = np.asarray(staircases.device)[order]
    short = np.isfinite(g).any(axis=2).sum(axis=1) < 2
    exclusions = _exclusions(order[short], int(np.isnan(g[~short]).sum()))
    g, device = g[~short], device[~short]
    steps = int(np.isfinite(np.diff(g[:, :, 0], axis=1)).sum()) if g.size else 0
    if steps < FEWEST_STEPS:
        raise DataError(
            f"staircase: {steps} increments between reads; {FEWEST_STEPS} are needed: "
            f"measure more pulses"
        )
    if np.nanmax(g) == np.nanmin(g):
        raise DataError(f"staircase: every read is {np.nanmax(g):g} uS; pulses change nothing")
    cluster, unit = _clusters(device, g.shape[1])
    return Ramps(device, g, cluster, unit, exclusions)


def _exclusions(rows: IntArray, missing: int) -> tuple[Exclusion, ...]:
    found = []
    if rows.size:
        listed = tuple(rows[:1000].tolist())
        reason = "fewer than two steps of the ramp were read"
        found.append(Exclusion("staircase", reason, rows.size, "ramps", listed))
    if missing:
        found.append(Exclusion("staircase", "the sample is missing", missing, "samples"))
    return tuple(found)


def _clusters(device: IntArray, steps: int) -> tuple[IntArray, str]:
    n = device.size
    devices, which = np.unique(device, return_inverse=True)
    if devices.size >= FEWEST_CLUSTERS:
        return np.repeat(which[:, None], steps, axis=1), "devices"
    if n >= FEWEST_CLUSTERS:
        return np.repeat(np.arange(n)[:, None], steps, axis=1), "ramps"
    block = np.arange(steps) * BLOCKS // steps
    return np.arange(n)[:, None] * BLOCKS + block, "blocks of pulses"
