"""A drift study from its configuration to its tables: checked whole, worked out, summed up."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from pcmsim.config import Study
from pcmsim.crossbar import Chip
from pcmsim.datasets import Metric
from pcmsim.devices import load_parameter_set
from pcmsim.errors import DataError, UsageError
from pcmsim.jobs import folder
from pcmsim.jobs.study_materials import OnTraining, fingerprints, gather, survey
from pcmsim.jobs.study_sensitivity import Asked, asked, sensitivity, with_variants
from pcmsim.loop import evaluate, measured, program_network
from pcmsim.studies import (
    LOCAL,
    Failure,
    Materials,
    Table,
    assemble,
    cells_of,
    check_place,
    open_pool,
    sweep,
    units_of,
    work_through,
    write_tables,
)
from pcmsim.studies.progress import Progress
from pcmsim.studies.summary import summarise

KIND = "study"
CONFIG = "study.yaml"
PLAN = "plan.json"


@dataclass(frozen=True)
class Where:
    """Where a study is worked out: see `pcmsim.studies.pool`."""

    scheduler: str = LOCAL
    workers: int | None = None


def study(
    config: Study,
    out: Path,
    *,
    where: Where | None = None,
    resume: bool = False,
    data_path: Path | None = None,
    on_training: OnTraining | None = None,
    on_done: Progress | None = None,
) -> dict[str, Any]:
    """Measure every cell of the study on every chip, and return the results.

    Networks that are given as configurations are trained first, into `out/networks`. Everything is
    checked before the first cell starts. `on_training(name, done, total)` counts epochs,
    `on_done(done, total, failed)` lives of chips.

    The folder holds `study.yaml`, `environment.json`, `units/*.h5` (one file for each chip that is
    done), and in the end `results.parquet`, `results.csv`, `results.h5` and `results.json`,
    with `sensitivity.csv` beside them if it is asked for. With `resume` what is there is kept, and
    only what is missing is measured; more chips may be asked for than before. Cells that fail are
    tried again at the end, then listed in the results.

    Raises `UsageError` with all reasons if some cells cannot run, `DataError` for files that cannot
    be used.
    """
    place = where or Where()
    check_place(place.scheduler, place.workers)
    if not resume:
        folder.check_new(out)
    elif (out / folder.ENVIRONMENT).exists() and not (out / PLAN).exists():
        raise DataError(f"{out} holds no {PLAN}; it is another kind of run")
    found, part = survey(config, data_path), asked(config)
    folder.make(out)
    with folder.at_work(out):
        materials = gather(found, out, on_training)
        return _measured(materials, part, out, place, resume, on_done)


def _measured(
    materials: Materials,
    part: Asked | None,
    out: Path,
    place: Where,
    resume: bool,
    on_done: Progress | None,
) -> dict[str, Any]:
    """Results of what is measured by the only process in the folder."""
    config = materials.study
    _open(config, out, _plan(config, materials, part), resume)
    sweep(out)
    units, more = units_of(config), () if part is None else part.units
    everything = materials if part is None else with_variants(materials, part)
    with open_pool(place.scheduler, place.workers, everything) as workers:
        failures = work_through(out, units + more, workers, config.retries, on_done)
    table = assemble(out, cells_of(config), units)
    write_tables(out, table, _metric(materials).unit)
    results = _results(config, materials, table, failures)
    results["sensitivity"] = None if part is None else sensitivity(out, part)
    folder.write_json(out / folder.RESULTS, results)
    return results


def _results(
    config: Study, materials: Materials, table: Table, failures: list[Failure]
) -> dict[str, Any]:
    software = {name: _software(materials, name) for name in materials.subjects}
    limits = {name: loss + config.tolerance for name, loss in software.items()}
    return {
        "kind": KIND,
        "format": folder.FORMAT,
        "chips": config.chips,
        "seed": config.seed,
        "times_s": list(table.times_s),
        "tolerance": config.tolerance,
        "metric": asdict(_metric(materials)),
        "software": software,
        "ideal": {name: _ideal(materials, name) for name in materials.subjects},
        "cells": summarise(table, config.energy, limits),
        "failures": [_failure(failure) for failure in failures],
    }


def _metric(materials: Materials) -> Metric:
    """What all networks of the study are measured by."""
    return next(iter(materials.subjects.values())).dataset.metric


def _software(materials: Materials, name: str) -> float:
    """Loss of the network in software [nat/step]."""
    subject = materials.subjects[name]
    return evaluate(subject.network, subject.dataset.test).per_step


def _ideal(materials: Materials, name: str) -> float:
    """What mapping alone costs: the loss [nat/step] on ideal devices."""
    subject = materials.subjects[name]
    # The ideal set has no pulses; a closed loop would find nothing to correct.
    hardware = subject.hardware.model_copy(update={"programming": "statistical"})
    chip = Chip(hardware, parameter_set=load_parameter_set("ideal"))
    program_network(chip, subject.network)
    return evaluate(subject.network, subject.dataset.test, measured(chip)).per_step


def _plan(config: Study, materials: Materials, part: Asked | None) -> dict[str, Any]:
    """What a study may not change when it goes on; of the programs, what numbers depend on."""
    values = config.model_dump(mode="json", exclude={"chips", "retries", "tolerance", "energy"})
    points = None if part is None else part.fingerprint
    return {
        **values,
        "sha256": fingerprints(materials),
        "points_sha256": points,
        "versions": {name: version(name) for name in ("pcmsim", "numpy", "numba", "torch")},
    }


def _open(config: Study, out: Path, plan: dict[str, Any], resume: bool) -> None:
    """Make the folder, or check that the study in it is this one."""
    if resume and (out / PLAN).exists():
        before, now = folder.flat(folder.read_json(out / PLAN)), folder.flat(plan)
        for key in now | before:
            if now.get(key) != before.get(key):
                raise UsageError(
                    f"{key} = {now.get(key)!r:.80}, but the study in {out} was started with "
                    f"{before.get(key)!r:.80}; resume it as it was or name a new folder"
                )
    asked_for = config.model_dump(mode="json", exclude_unset=True)
    folder.write_text(out / CONFIG, yaml.safe_dump(asked_for, sort_keys=False))
    folder.write_json(out / PLAN, plan)
    about = {"kind": KIND, "format": folder.FORMAT}
    folder.write_json(out / folder.ENVIRONMENT, about | folder.environment(config.seed))


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "network": failure.unit.network,
        "devices": failure.life.devices or failure.unit.devices,
        "temperature": failure.life.temperature,
        "refresh": failure.life.refresh,
        "compensations": list(failure.life.compensations),
        "chip": failure.unit.chip,
        "reason": failure.reason,
    }
