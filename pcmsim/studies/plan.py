"""What a study measures: its cells, and the units of work that measure them chip by chip."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from pcmsim.config import Cells, Study
from pcmsim.units import DAY_S, LANDMARKS_S

NO_REFRESH = "none"


@dataclass(frozen=True, order=True)
class Cell:
    """One combination of names; each is measured on every chip."""

    network: str
    devices: str
    temperature: str
    refresh: str
    compensation: str

    @property
    def name(self) -> str:
        """The names in one word."""
        return "/".join(
            (self.network, self.devices, self.temperature, self.refresh, self.compensation)
        )


@dataclass(frozen=True)
class Life:
    """What one chip goes through, and the compensations that it is measured with on the way.

    Compensations are digital: they leave the devices alone and share a life. `devices` is the
    device set, where it is not that of the unit.
    """

    temperature: str
    refresh: str
    compensations: tuple[str, ...]
    devices: str | None = None


@dataclass(frozen=True)
class Unit:
    """Lives of one chip that are worked out together, because they have much in common."""

    network: str
    devices: str
    chip: int
    lives: tuple[Life, ...]
    times_s: tuple[float, ...]

    @property
    def name(self) -> str:
        """Name of the unit and of its file."""
        return f"{self.network}.{self.devices}.{self.chip:05d}"


def study_times(days: float, points: int) -> tuple[float, ...]:
    """`points` log-spaced times from 1 s to `days`; 1 min, 1 h, 1 and 4 days stand in for the next.

    >>> times_s = study_times(4.0, 25)
    >>> len(times_s), times_s[0], times_s[-1], 86400.0 in times_s
    (25, 1.0, 345600.0, True)
    """
    end_s = days * DAY_S
    if points == 1:
        return (end_s,)
    spaced = [float(f"{t:.4g}") for t in np.geomspace(1.0, end_s, points)]
    spaced[0], spaced[-1] = 1.0, end_s
    inner = np.array(spaced[1:-1])
    for landmark_s in LANDMARKS_S:
        if len(inner) > 2 * len(LANDMARKS_S) and 1.0 < landmark_s < end_s:
            inner[np.argmin(np.abs(np.log(inner / landmark_s)))] = landmark_s
    return tuple(sorted({spaced[0], *(float(t) for t in inner), spaced[-1]}))


def cells_of(study: Study) -> tuple[Cell, ...]:
    """All cells in the order of the study, each once."""
    found = (cell for block in study.cells for cell in _crossed(study, block))
    return tuple(dict.fromkeys(found))


def units_of(study: Study) -> tuple[Unit, ...]:
    """Units of all chips: one for each network, device set and chip.

    The first chips of everything come first, so that a study that was stopped has something of
    every cell.
    """
    cells, times_s = cells_of(study), study_times(study.days, study.points)
    found = dict.fromkeys((cell.network, cell.devices) for cell in cells)
    # Networks on the same devices follow one another: what they share is then worked out once.
    pairs = sorted(found, key=lambda pair: tuple(study.devices).index(pair[1]))
    lives = {pair: _lives(cells, *pair) for pair in pairs}
    return tuple(
        Unit(*pair, chip, lives[pair], times_s) for chip in range(study.chips) for pair in pairs
    )


def _crossed(study: Study, block: Cells) -> Iterator[Cell]:
    axes = (
        block.networks or tuple(study.networks),
        block.devices or tuple(study.devices),
        block.temperatures or tuple(study.temperatures),
        block.refresh,
        block.compensation,
    )
    return (Cell(*names) for names in product(*axes))


def _lives(cells: tuple[Cell, ...], network: str, devices: str) -> tuple[Life, ...]:
    lives: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if (cell.network, cell.devices) == (network, devices):
            lives.setdefault((cell.temperature, cell.refresh), []).append(cell.compensation)
    return tuple(Life(*names, tuple(kinds)) for names, kinds in lives.items())
