"""Traces of relaxing devices: first read, later reads, and who is left out."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.estimate import Exclusion
from pcmsim.calibration.records import DriftTraces, IntArray
from pcmsim.calibration.relaxation_model import LaterReads
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

_FEWEST = 20
# Whether g_max was given.
_WHY = {True: "which was given", False: "the largest that twenty devices had"}


@dataclass(frozen=True)
class Traces:
    """Traces whose first read is there, none above g_max.

    device, g_target, converged, g_first (n,); t_s (k,) [s] since the first read; g (n, k) [µS];
    t_first_s, time of the first read since the last pulse [s]
    """

    device: IntArray
    g_target: FloatArray
    converged: np.ndarray
    g_first: FloatArray
    t_s: FloatArray
    g: FloatArray
    t_first_s: float
    g_max: float

    def reads(self, g_low: float, rows: np.ndarray | None = None) -> LaterReads:
        """The later reads of the rows of a mask, row after row; rows keep their numbers."""
        present = ~np.isnan(self.g)
        if rows is not None:
            present &= rows[:, None]
        row, column = np.nonzero(present)
        n = self.device.size
        return LaterReads(row, self.g_first[row], self.g[row, column], self.t_s[column], n, g_low)


def gather(
    parts: Iterable[DriftTraces], g_max: float | None
) -> tuple[Traces, tuple[Exclusion, ...]]:
    """All parts in one, and what was left out.

    `g_max` [µS] is the largest target of twenty devices unless given. Raises `DataError` for parts
    with different times, or fewer than two.
    """
    found = list(parts)
    if not found:
        raise DataError("drift: there are no traces; a relaxation is fitted to traces")
    t_s = np.asarray(found[0].t_s, dtype=np.float64)
    for part in found[1:]:
        if not np.array_equal(part.t_s, t_s):
            raise DataError("drift: parts have different times; calibrate the files one by one")
    if t_s.size < 2:
        raise DataError("drift/t_s: one time only; relaxation is the change between two")
    joined = {
        name: np.concatenate([getattr(part, name) for part in found])
        for name in ("device", "g_target", "converged", "g")
    }
    targets, counts = np.unique(joined["g_target"], return_counts=True)
    given = g_max is not None
    if g_max is None:
        often = targets[counts >= _FEWEST]
        g_max = float(often.max() if often.size else targets.max())
    first = joined["g"][:, 0]
    if not 0.0 < g_max < np.inf:
        raise DataError(f"drift/g_target: the largest is {g_max:g} uS; a law needs targets above 0")
    blind, beyond = np.isnan(first), joined["g_target"] > g_max * (1.0 + 1e-9)
    reasons = {
        "the first read, which defines the conductance, is missing": blind,
        f"the target lies above g_max = {g_max:g} uS, {_WHY[given]}": beyond & ~blind,
    }
    exclusions = [
        Exclusion("drift", why, int(mask.sum()), rows=tuple(np.flatnonzero(mask)[:1000].tolist()))
        for why, mask in reasons.items()
        if mask.any()
    ]
    kept = ~(blind | beyond)
    rows = {name: values[kept] for name, values in joined.items()}
    traces = Traces(
        device=rows["device"],
        g_target=rows["g_target"],
        converged=np.asarray(rows["converged"], dtype=bool),
        g_first=rows["g"][:, 0],
        t_s=t_s[1:] - t_s[0],
        g=rows["g"][:, 1:],
        t_first_s=float(t_s[0]),
        g_max=g_max,
    )
    return traces, tuple(exclusions)
