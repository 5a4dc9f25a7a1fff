"""One unit of work: all lives of one chip, side by side in time."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pcmsim.crossbar import Chip
from pcmsim.devices import Ambient, Recent
from pcmsim.loop import one_thread, program_network
from pcmsim.mitigations import Cost, Known
from pcmsim.rng import key
from pcmsim.studies.life import Moment, commission, moments
from pcmsim.studies.materials import Materials
from pcmsim.studies.plan import Life, Unit

COSTS = ("products", "macs", "programmed", "digital_macs")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lived:
    """Measurements of one life.

    `metric` (compensations, times, 2): loss per step and per sequence [nat/step]; `calibration`
    (compensations, times, 4), `refresh` (times, 4) and `commissioning` (compensations, 4): counts
    of `COSTS`, see `pcmsim.studies.life.Moment`.
    """

    metric: NDArray[np.float64]
    calibration: NDArray[np.int64]
    refresh: NDArray[np.int64]
    commissioning: NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """Lives of a unit that were measured, and why the others were not."""

    lived: dict[Life, Lived]
    failed: dict[Life, str]


def run_unit(unit: Unit, materials: Materials, recent: Recent | None = None) -> Outcome:
    """Measure all lives of a chip; a life that fails leaves the others alone.

    Lives go through time together, so that what they share, such as the slow noise of devices
    that nobody has rewritten, is worked out once for each time. The numbers of a life do not
    depend on which others there are. `recent` is slow noise that other units of the chip left.
    """
    with one_thread():
        bench = Bench(unit, materials, Recent() if recent is None else recent)
        running: dict[Life, Iterator[Moment]] = {}
        seen: dict[Life, list[Moment]] = {life: [] for life in unit.lives}
        failed: dict[Life, str] = {}
        for t_s in unit.times_s:
            for life in unit.lives:
                if life in failed:
                    continue
                try:
                    if life not in running:
                        running[life] = bench.begin(life)
                    seen[life].append(next(running[life]))
                    if t_s == unit.times_s[-1]:
                        del running[life]  # a chip that is done leaves memory to the next
                # Whatever ends one life must not take the others with it; the reason is told.
                except Exception as error:  # noqa: BLE001
                    _LOG.warning("%s: %s failed", unit.name, life, exc_info=True)
                    failed[life] = f"{type(error).__name__}: {error}"
    return Outcome({life: _lived(seen[life]) for life in unit.lives if life not in failed}, failed)


class Bench:
    """Chips of one unit as they are made, and the references that their compensations share."""

    def __init__(self, unit: Unit, materials: Materials, recent: Recent) -> None:
        self._unit, self._materials, self._recent = unit, materials, recent
        self._commissioned: dict[tuple[str, str], tuple[Known, Cost]] = {}

    def begin(self, life: Life) -> Iterator[Moment]:
        """The life of a chip that is programmed now."""
        name = life.devices or self._unit.devices
        new = [kind for kind in life.compensations if (name, kind) not in self._commissioned]
        if new:
            found = commission(new, self._unit, self._materials, self._programmed(name, None))
            self._commissioned |= {(name, kind): reference for kind, reference in found.items()}
        chip = self._programmed(name, self._materials.ambients[life.temperature])
        known = {kind: self._commissioned[name, kind] for kind in life.compensations}
        return moments(self._unit, life, self._materials, chip, known)

    def _programmed(self, devices: str, ambient: Ambient | None) -> Chip:
        """The chip of the unit, just programmed; None is the reference temperature.

        Its seed is that of its number alone: the same chip holds every network and meets every
        temperature and mitigation, so that differences between them are differences on one chip.
        """
        subject = self._materials.subjects[self._unit.network]
        chip = Chip(
            subject.hardware,
            key(self._materials.study.seed, "chip", self._unit.chip),
            parameter_set=self._materials.devices[devices],
            ambient=ambient,
            recent=self._recent,
        )
        program_network(chip, subject.network)
        return chip


def _lived(seen: list[Moment]) -> Lived:
    calibration = [_counts(moment.calibration) for moment in seen]
    return Lived(
        metric=np.stack([moment.metric for moment in seen], axis=1),
        calibration=np.moveaxis(np.array(calibration, np.int64), 0, 1),
        refresh=np.array(_counts(moment.refresh for moment in seen), np.int64),
        commissioning=np.array(_counts(seen[0].commissioning), np.int64),
    )


def _counts(costs: Iterable[Cost]) -> list[list[int]]:
    return [[getattr(cost, name) for name in COSTS] for cost in costs]
