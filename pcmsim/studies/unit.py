"""One unit of work: all lives of one chip, side by side in time."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pcmsim.crossbar import Chip
from pcmsim.devices import Ambient, ParameterSet, Recent
from pcmsim.loop import one_thread, program_network
from pcmsim.mitigations import Cost
from pcmsim.rng import key
from pcmsim.studies.life import Moment, moments
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


def run_unit(unit: Unit, materials: Materials) -> Outcome:
    """Measure all lives of a chip; a life that fails leaves the others alone.

    Lives go through time together, so that what they share, such as the slow noise of devices
    that nobody has rewritten, is worked out once for each time. The numbers of a life do not
    depend on which others there are.
    """
    with one_thread():
        recent = Recent()
        running: dict[Life, Iterator[Moment]] = {}
        seen: dict[Life, list[Moment]] = {life: [] for life in unit.lives}
        failed: dict[Life, str] = {}
        for t_s in unit.times_s:
            for life in unit.lives:
                if life in failed:
                    continue
                try:
                    if life not in running:
                        running[life] = _begin(unit, life, materials, recent)
                    seen[life].append(next(running[life]))
                    if t_s == unit.times_s[-1]:
                        del running[life]  # a chip that is done leaves memory to the next
                # Whatever ends one life must not take the others with it; the reason is told.
                except Exception as error:  # noqa: BLE001
                    _LOG.warning("%s: %s failed", unit.name, life, exc_info=True)
                    failed[life] = f"{type(error).__name__}: {error}"
    return Outcome({life: _lived(seen[life]) for life in unit.lives if life not in failed}, failed)


def _begin(unit: Unit, life: Life, materials: Materials, recent: Recent) -> Iterator[Moment]:
    devices = materials.devices[life.devices or unit.devices]
    ambient = materials.ambients[life.temperature]
    chip = _programmed(unit, materials, recent, devices, ambient)
    return moments(unit, life, materials, chip, _programmed(unit, materials, recent, devices, None))


def _programmed(
    unit: Unit,
    materials: Materials,
    recent: Recent,
    devices: ParameterSet,
    ambient: Ambient | None,
) -> Chip:
    """The chip of the unit, just programmed; None is the reference temperature.

    Its seed is that of its number alone: the same chip holds every network and meets every
    temperature and mitigation, so that differences between them are differences on one chip.
    """
    subject = materials.subjects[unit.network]
    chip = Chip(
        subject.hardware,
        key(materials.study.seed, "chip", unit.chip),
        parameter_set=devices,
        ambient=ambient,
        recent=recent,
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
