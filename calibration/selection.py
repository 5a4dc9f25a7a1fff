"""Parts of a campaign's drift traces: some of the devices, some of the times."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from pcmsim.calibration.records import DriftTraces, IntArray
from pcmsim.calibration.tally import by_level
from pcmsim.devices.laws import FloatArray


@dataclass(frozen=True)
class Selected:
    """Traces of which `select` keeps a part; iterated anew each time, so nothing is held."""

    parts: Iterable[DriftTraces]
    select: Callable[[DriftTraces], DriftTraces]

    def __iter__(self) -> Iterator[DriftTraces]:
        """The parts, each with what is kept of it; parts that nothing is kept of are absent."""
        for part in self.parts:
            kept = self.select(part)
            if kept.g.shape[0]:
                yield kept


def of_devices(parts: Iterable[DriftTraces], numbers: IntArray, inside: bool = True) -> Selected:
    """Rows of the devices `numbers`, or of all others; all programmings of a device go together."""

    def select(part: DriftTraces) -> DriftTraces:
        at = np.isin(part.device, numbers, invert=not inside)
        rows = ("device", "programming", "g_target", "converged", "g")
        return replace(part, **{name: np.asarray(getattr(part, name))[at] for name in rows})

    return Selected(parts, select)


def without_time(parts: Iterable[DriftTraces], k: int) -> Selected:
    """All rows without the read at the time of index `k`."""

    def select(part: DriftTraces) -> DriftTraces:
        return replace(part, t_s=np.delete(part.t_s, k), g=np.delete(part.g, k, axis=1))

    return Selected(parts, select)


def first_programmings(parts: Iterable[DriftTraces]) -> dict[float, FloatArray]:
    """Reads of each level [µS], by target: one row for each device (n, k), its first programming.

    Two programmings of a device share part of its exponent, so their reads are not independent, as
    tests of distributions need them. Rows are those that fits use.
    """
    rows: dict[float, list[tuple[IntArray, IntArray, FloatArray]]] = {}
    for part in parts:
        for level in by_level(part):
            found = (level.device, level.programming, level.g)
            rows.setdefault(level.g_target, []).append(found)
    reads = {}
    for g_target, collected in sorted(rows.items()):
        by_column = zip(*collected, strict=True)
        device, programming, g = (np.concatenate(column) for column in by_column)
        order = np.lexsort((programming, device))
        _, at = np.unique(device[order], return_index=True)
        reads[g_target] = g[order[at]]
    return reads


def device_numbers(parts: Iterable[DriftTraces]) -> IntArray:
    """Numbers of all devices, sorted and without repetition (n,)."""
    found = [np.unique(part.device) for part in parts]
    return np.asarray(np.unique(np.concatenate(found)))
