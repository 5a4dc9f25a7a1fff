"""Write a trained network onto simulated chips and measure it as the days go by."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcmsim import runlog
from pcmsim.config import Config, Hardware, Temperature, build, load_config, override
from pcmsim.crossbar import KINDS, Kind, ambient_of
from pcmsim.datasets import FACTS, load
from pcmsim.devices import (
    Ambient,
    ParameterSet,
    check_at_reference,
    load_parameter_set,
    temperature_law,
)
from pcmsim.errors import DataError, UsageError
from pcmsim.jobs import folder, snapshot
from pcmsim.jobs.ageing import Plan, Progress, Task, age_chips, evaluate_ideal
from pcmsim.jobs.streams import described, streamed
from pcmsim.loop import Evaluation, evaluate
from pcmsim.networks import load_network, shape_text
from pcmsim.rng import key
from pcmsim.units import DAY_S, LANDMARKS_S, YEAR_S, ZERO_CELSIUS_K

KIND = "drift"
LOG = "log.h5"
POINTS_PER_DECADE = 4
MOST_CHIPS = 10_000
LONGEST_S = 1000 * YEAR_S
UNITS = {
    "chip": "1",
    "compensation": "1",
    "t_s": "s",
}


def drift_times(days: float) -> tuple[float, ...]:
    """Log-spaced times from 1 s to `days`, four a decade, with 1 min, 1 h, 1 and 4 days among them.

    Raises `UsageError` unless the end is finite and at least one second.

    >>> drift_times(4.0)[0], drift_times(4.0)[-1], 86400.0 in drift_times(4.0)
    (1.0, 345600.0, True)
    """
    end_s = days * DAY_S
    if not 1.0 <= end_s <= LONGEST_S:
        raise UsageError(
            f"days = {days:g}: the last time must lie between 1 s (1.1575e-05 days) and 1000 years"
        )
    count = int(np.ceil(POINTS_PER_DECADE * np.log10(end_s))) + 1
    spaced = [float(f"{t:.4g}") for t in np.geomspace(1.0, end_s, max(count, 2))[:-1]]
    return tuple(sorted({t for t in (*spaced, *LANDMARKS_S) if t < end_s} | {end_s}))


def hardware_of(run: Path, device: str | None = None, settings: tuple[str, ...] = ()) -> Hardware:
    """Hardware section of the run's configuration, with another device set and `key=value` changes.

    Keys may be written with or without `hardware.` in front. Raises `UsageError`.
    """
    folder.read_results(run, "train")
    values = load_config(run / folder.CONFIG).model_dump(mode="json")
    changes = [s if s.startswith("hardware.") else f"hardware.{s}" for s in settings]
    if device is not None:
        values["hardware"]["device"] = device
    return build(override(values, tuple(changes)), "--set").hardware


def temperature_of(text: str) -> Temperature:
    """The temperature that a number [°C] or the name of a CSV file stands for.

    Raises `UsageError` for a number that is no temperature.

    >>> temperature_of("50").celsius, temperature_of("office-day.csv").csv
    (50.0, 'office-day.csv')
    """
    try:
        celsius = float(text)
    except ValueError:
        if not text.strip():
            raise UsageError("temperature: write a number in °C or name a CSV file") from None
        return Temperature(csv=text)
    if not -ZERO_CELSIUS_K < celsius <= 1000.0:
        raise UsageError(f"temperature {text}: write a number in °C above -{ZERO_CELSIUS_K:g}")
    return Temperature(celsius=celsius)


def drift(
    run: Path,
    out: Path | None = None,
    *,
    days: float = 4.0,
    chips: int = 8,
    compensations: Sequence[str] = ("none", "global"),
    hardware: Hardware | None = None,
    temperature: Temperature | None = None,
    seed: int | None = None,
    data_path: Path | None = None,
    on_chip: Progress | None = None,
    streaming: bool = False,
    step_s: float | None = None,
) -> dict[str, Any]:
    """Measure the trained network in `run` on simulated chips, and return the results.

    Each of `chips` independently drawn chips is programmed once and then read on the test split
    at log-spaced times up to `days`, with each of `compensations` in turn, so that they are
    compared on the same devices. `hardware` and `seed` default to those of the run; `out`
    defaults to `run/drift`. `on_chip(done, total)` is called after each time on each chip.

    `temperature` is that of the chips from programming on (None: that of their parameter set);
    compensation refers to a readout at the parameter set's.

    With `streaming` the split is not measured at an instant but streamed from each time on, a step
    in at least `step_s` [s], by default as fast as products go (see `pcmsim.loop.stream`). Times
    that lie before the end of an earlier stream are left out (see `pcmsim.jobs.streams`).

    The folder holds `config.yaml`, `environment.json`, `log.h5` (rows appear when a chip is
    done), `arrays.h5` (conductances of the first chip), `device.json` and `results.json`.

    Raises `UsageError` for settings that are not allowed and `DataError` for files that cannot
    be used, before any work.
    """
    run = Path(run)
    folder.read_results(run, "train")
    trained = load_config(run / folder.CONFIG)
    changes = {"hardware": hardware, "seed": seed}
    config = trained.model_copy(update={k: v for k, v in changes.items() if v is not None})
    kinds = _checked_kinds(compensations)
    key(config.seed, "chip", 0)  # refuses a seed that is none
    plan = Plan(drift_times(days), _checked_chips(chips), kinds, int(config.seed))
    parameter_set = load_parameter_set(config.hardware.device)
    ambient = _checked_ambient(temperature, plan, config.hardware, parameter_set)
    out = run / "drift" if out is None else Path(out)
    folder.check_new(out)
    if step_s is not None and not streaming:
        raise UsageError("step_s is the time of a step of a stream; ask for streaming as well")
    network = load_network(run)
    if network.spec != trained.network:
        raise DataError(f"network.yaml and config.yaml in {run} differ; restore both from one copy")
    dataset = load(trained.data, trained.seed, data_path)
    folder.check_same_data(run, dataset.source)
    task = Task(network, dataset.test, config.hardware, parameter_set, ambient)
    if streaming:
        plan = streamed(plan, task, 0.0 if step_s is None else step_s)
    folder.create(out, KIND, config, dataset.source)
    return _run(task, plan, config, out, on_chip, temperature)


def _checked_ambient(
    temperature: Temperature | None, plan: Plan, hardware: Hardware, parameter_set: ParameterSet
) -> Ambient | None:
    """Ambient of the chips; refuses one that their devices or their programming do not know."""
    if temperature is None:
        return None
    ambient = ambient_of(temperature, plan.times_s[-1])
    temperature_law(parameter_set.values, ambient)
    if hardware.programming == "verify":
        check_at_reference(parameter_set.values, ambient, 0.0)
    return ambient


def _run(
    task: Task,
    plan: Plan,
    config: Config,
    out: Path,
    on_chip: Progress | None,
    temperature: Temperature | None,
) -> dict[str, Any]:
    folder.write_json(out / snapshot.DEVICE, snapshot.describe(task.parameter_set))
    software, unit = evaluate(task.network, task.test), FACTS[config.data.name].metric.unit
    units = UNITS | {"metric_per_step": unit, "metric_per_sequence": unit}
    found, devices = [], 0
    for i, aged in enumerate(age_chips(task, plan, on_chip)):
        found.append(aged.found)
        devices = aged.devices
        runlog.append(out / LOG, _rows(i, plan, aged.found), units)
        if i == 0:
            snapshot.save(out / snapshot.ARRAYS, aged.g_start, aged.g_end, aged.end_s)
    results = _results(task, plan, config, software, np.array(found)) | {"devices": devices}
    if temperature is not None and task.ambient is not None:
        results["temperature"] = temperature.model_dump(exclude_unset=True) | {
            "lowest_c": task.ambient.lowest_c,
            "highest_c": task.ambient.highest_c,
        }
    folder.write_json(out / folder.RESULTS, results)
    return results


def _rows(chip: int, plan: Plan, found: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Rows of one chip for the log: `found` has shape (compensations, times, 2)."""
    kinds = [float(KINDS.index(kind)) for kind in plan.compensations]
    n = len(plan.times_s)
    return {
        "chip": np.full(len(kinds) * n, float(chip)),
        "compensation": np.repeat(kinds, n),
        "t_s": np.tile(plan.times_s, len(kinds)),
        "metric_per_step": found[:, :, 0].ravel(),
        "metric_per_sequence": found[:, :, 1].ravel(),
    }


def _results(
    task: Task, plan: Plan, config: Config, software: Evaluation, found: NDArray[np.float64]
) -> dict[str, Any]:
    """Results of all chips; `found` has shape (chips, compensations, times, 2)."""
    spec = config.network
    return described(plan, task) | {
        "kind": KIND,
        "format": folder.FORMAT,
        "task": config.data.name,
        "network": shape_text(spec),
        "unit": spec.unit,
        "metric": asdict(FACTS[config.data.name].metric),
        "software_metric": software.per_step,
        "software_metric_per_sequence": software.per_sequence,
        "ideal_metric": evaluate_ideal(task).per_step,
        "device_set": task.parameter_set.name,
        "read_noise": config.hardware.read_noise,
        "chips": plan.chips,
        "seed": plan.seed,
        "drift": [
            _cell(kind, t_s, found[:, j, k])
            for j, kind in enumerate(plan.compensations)
            for k, t_s in enumerate(plan.times_s)
        ],
    }


def _cell(kind: Kind, t_s: float, found: NDArray[np.float64]) -> dict[str, Any]:
    """Statistics over chips at one time; `found` has shape (chips, 2). One chip has no spread."""
    per_step, per_sequence = found.T
    return {
        "compensation": kind,
        "t_s": t_s,
        "mean": float(per_step.mean()),
        "std": float(per_step.std(ddof=1)) if len(per_step) > 1 else None,
        "per_chip": per_step.tolist(),
        "mean_per_sequence": float(per_sequence.mean()),
    }


def _checked_chips(chips: int) -> int:
    if isinstance(chips, bool) or not isinstance(chips, int | np.integer):
        raise UsageError(f"chips = {chips!r}: write a whole number")
    if not 1 <= chips <= MOST_CHIPS:
        raise UsageError(f"chips = {chips}: measure from 1 to {MOST_CHIPS} chips")
    return int(chips)


def _checked_kinds(names: Sequence[str]) -> tuple[Kind, ...]:
    for name in names:
        if name not in KINDS:
            raise UsageError(f"compensation {name!r} is not known; choose from {', '.join(KINDS)}")
    if not names:
        raise UsageError(f"no compensation given; choose from {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in names)
