"""What a report needs from the folder of a study, checked.

The folder holds `results.json`, `study.yaml` and `environment.json`. Unknown keys are left alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from pcmsim.errors import DataError
from pcmsim.report.records import Metric, NotNegative, Number, Whole, check, read_json

_CONFIG = ConfigDict(extra="ignore")
OverTime = tuple[Number | None, ...]
Share = Annotated[Number, Field(ge=0.0, le=1.0)]
Time = Annotated[Number, Field(gt=0.0)]


@checked(frozen=True, config=_CONFIG)
class Difference:
    """Mean over `chips` of a difference on the same chips [nat/step], ± half of its interval."""

    mean: Number | None
    half_width: NotNegative | None
    chips: Whole


@checked(frozen=True, config=_CONFIG)
class Quantiles:
    """Over chips, at each time [nat/step]."""

    q05: OverTime
    q50: OverTime
    q95: OverTime


@checked(frozen=True, config=_CONFIG)
class Cost:
    """Of one calibration, and of all refreshes until the end; None where nothing was measured."""

    products: NotNegative | None
    energy_pj: NotNegative | None
    programmed: NotNegative | None
    refresh_products: NotNegative | None
    refresh_energy_pj: NotNegative | None


@checked(frozen=True, config=_CONFIG)
class StudyCell:
    """One combination of names on all chips; what lists hold belongs to the times of the study."""

    network: str
    devices: str
    temperature: str
    refresh: str
    compensation: str
    chips: Whole
    mean: OverTime
    half_width: tuple[NotNegative | None, ...]
    quantiles: Quantiles
    within: tuple[Share | None, ...]
    against_none: Difference | None
    chips_needed: Whole | None
    cost: Cost
    against_best: Difference | None = None


@checked(frozen=True, config=_CONFIG)
class Failed:
    """A life of a chip that could not be measured."""

    network: str
    devices: str
    temperature: str
    refresh: str
    compensations: tuple[str, ...]
    chip: Whole
    reason: str


@checked(frozen=True, config=_CONFIG)
class Moved:
    """Change of the metric when one parameter is lower and higher."""

    parameter: str
    low: Difference
    high: Difference


@checked(frozen=True, config=_CONFIG)
class Sobol:
    """Sobol indices of `parameters` with half of their intervals.

    `variance` [nat²/step²] is that within a chip; `between_chips` the share that differences
    between chips would have in the sum of both.
    """

    parameters: Annotated[tuple[str, ...], Field(min_length=1)]
    first: OverTime
    first_half_width: OverTime
    total: OverTime
    total_half_width: OverTime
    samples: Whole
    evaluations: Whole
    variance: NotNegative | None
    between_chips: Share | None = None


@checked(frozen=True, config=_CONFIG)
class Sensitivity:
    """How the metric at `t_s` depends on the parameters of the devices."""

    network: str
    compensation: str
    devices: str
    t_s: Time
    step: Annotated[Number, Field(gt=0.0)]
    chips: Whole
    nominal: Number | None
    one_at_a_time: tuple[Moved, ...]
    sobol: Sobol | None


@checked(frozen=True, config=_CONFIG)
class Study:
    """Results of a study; `tolerance`, `software` and `ideal` are values of `metric`."""

    chips: Annotated[Whole, Field(gt=0)]
    seed: int
    times_s: Annotated[tuple[Time, ...], Field(min_length=1)]
    tolerance: Annotated[Number, Field(gt=0.0)]
    software: Mapping[str, Number]
    ideal: Mapping[str, Number]
    cells: Annotated[tuple[StudyCell, ...], Field(min_length=1)]
    failures: tuple[Failed, ...]
    sensitivity: Sensitivity | None = None
    metric: Metric = Metric()


def read_study(path: Path) -> Study:
    """Results of the study in the file at `path`.

    Raises `DataError` that names what is missing, of the wrong kind or of the wrong length.
    """
    found: Study = check(Study, read_json(path), path)
    if any(a >= b for a, b in zip(found.times_s, found.times_s[1:], strict=False)):
        raise DataError(f"{path}: times_s must increase")
    names = set()
    for i, cell in enumerate(found.cells):
        _check_cell(found, cell, f"{path}: cells.{i}")
        names.add((cell.network, cell.devices, cell.temperature, cell.refresh, cell.compensation))
    if len(names) < len(found.cells):
        raise DataError(f"{path}: cells has {len(found.cells)} entries of {len(names)} names")
    if found.sensitivity is not None and found.sensitivity.sobol is not None:
        indices = found.sensitivity.sobol
        lists = {name: getattr(indices, name) for name in _INDICES}
        _check_lengths(lists, len(indices.parameters), f"{path}: sensitivity.sobol", "parameters")
    return found


_INDICES = ("first", "first_half_width", "total", "total_half_width")


def _check_cell(study: Study, cell: StudyCell, where: str) -> None:
    for name in ("software", "ideal"):
        if cell.network not in getattr(study, name):
            raise DataError(f"{where}: {name} has no network {cell.network!r}")
    lists: dict[str, Any] = {name: getattr(cell, name) for name in ("mean", "half_width", "within")}
    lists |= {f"quantiles.{q}": getattr(cell.quantiles, q) for q in ("q05", "q50", "q95")}
    _check_lengths(lists, len(study.times_s), where, "times")


def _check_lengths(lists: Mapping[str, Any], length: int, where: str, of: str) -> None:
    for name, values in lists.items():
        if len(values) != length:
            raise DataError(f"{where}.{name} has {len(values)} values, and there are {length} {of}")
