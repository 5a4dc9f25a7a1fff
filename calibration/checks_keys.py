"""Whether rows are told apart by their numbers, and whether a level has enough devices."""

from collections.abc import Iterator, Sequence

import numpy as np

from pcmsim.calibration.findings import WARNING, Finding
from pcmsim.calibration.tally import FEWEST
from pcmsim.devices.laws import FloatArray

# Levels are a few conductances with many devices each.
_MOST_TARGETS = 512


def key_findings(
    keys: Sequence[FloatArray], names: Sequence[str], dataset: str
) -> Iterator[Finding]:
    """Rows whose numbers stand in an earlier row already; `keys` are columns (n,).

    >>> device = np.array([4, 5, 4])
    >>> [finding.text() for finding in key_findings([device], ["device"], "yields")]
    ['yields: row 2: device 4 is already in row 0; every row needs numbers of its own']
    """
    order = np.lexsort(tuple(reversed(keys)))
    same = np.ones(max(order.size - 1, 0), dtype=bool)
    for key in keys:
        same &= key[order[1:]] == key[order[:-1]]
    starts = np.flatnonzero(np.append(True, ~same))
    for at in np.flatnonzero(same) + 1:
        row, other = int(order[at]), int(order[starts[np.searchsorted(starts, at, "right") - 1]])
        what = ", ".join(f"{n} {key[row]:.15g}" for n, key in zip(names, keys, strict=True))
        what += f" is already in row {other}; every row needs numbers of its own"
        yield Finding(dataset, row, what, kind="duplicate")


def turn_findings(
    device: FloatArray, turn: FloatArray, name: str, dataset: str
) -> Iterator[Finding]:
    """Numbers of programmings, cycles or sweeps that are negative, or that leave one out.

    >>> turns = turn_findings(np.array([7, 7]), np.array([0, 2]), "cycle", "staircase")
    >>> [finding.text() for finding in turns]
    ['staircase: row 1: cycle 1 of device 7 is missing before cycle 2']
    """
    for row in np.flatnonzero(turn < 0):
        what = f"{name} = {turn[row]:g} of device {device[row]:.15g}; they count from 0"
        yield Finding(dataset, int(row), what, kind="number")
    order = np.lexsort((turn, device))
    device, turn = device[order], np.asarray(turn[order], dtype=np.int64)
    new = np.append(True, device[1:] != device[:-1])
    before = np.where(new, -1, np.append(-1, turn[:-1]))
    for at in np.flatnonzero((turn > before + 1) & (turn >= 0)):
        what = f"{name} {before[at] + 1} of device {device[at]:.15g} is missing before"
        what += f" {name} {turn[at]}"
        yield Finding(dataset, int(order[at]), what, WARNING, "gap")


def level_findings(
    g_target: FloatArray, device: FloatArray, usable: FloatArray, dataset: str
) -> Iterator[Finding]:
    """Levels with fewer than twenty devices that converged and have a read, which no fit uses."""
    targets = np.unique(g_target)
    if targets.size > _MOST_TARGETS:
        what = (
            f"{targets.size} different targets; levels need many devices each, {_MOST_TARGETS} "
            f"targets at most: write what was aimed at, not what was reached"
        )
        yield Finding(dataset, None, what, kind="target")
        return
    pairs = np.unique(np.stack([g_target[usable], device[usable]]), axis=1)
    found, counts = np.unique(pairs[0], return_counts=True)
    devices = dict(zip(found.tolist(), counts.tolist(), strict=True))
    for target in targets.tolist():
        n = devices.get(target, 0)
        if n < FEWEST:
            what = (
                f"the level {target:g} uS has {_devices(n)} with a read after programming that "
                f"converged; fits leave out levels of fewer than {FEWEST}: measure more there"
            )
            yield Finding(dataset, None, what, WARNING, "few")


def few_findings(device: FloatArray, dataset: str) -> Iterator[Finding]:
    """Fewer than twenty devices."""
    n = np.unique(device).size
    if n < FEWEST:
        what = f"{_devices(n)}; fits need {FEWEST} or more: measure more devices"
        yield Finding(dataset, None, what, WARNING, "few")


def _devices(n: int) -> str:
    return "1 device" if n == 1 else f"{n} devices"
