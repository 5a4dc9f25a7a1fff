"""What a study found, cell by cell: means with intervals, differences on the same chips, costs."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pcmsim.config import Energy
from pcmsim.mitigations import Cost
from pcmsim.studies.intervals import MOST_CHIPS, Mean, chips_needed, mean_over_chips, paired
from pcmsim.studies.plan import Cell
from pcmsim.studies.table import AXES, Table

# Precision for which the number of chips is told: as fine as results are printed [nat/step].
WANTED = 0.01


def summarise(table: Table, energy: Energy, limits: Mapping[str, float]) -> list[dict[str, Any]]:
    """One entry for each cell: the metric over time and, at the end, what it is compared with.

    `within` is the share of chips whose metric is at most the limit of their network [nat/step];
    a chip that fails and recovers counts again. `against_none` is the mean difference on the same
    chips to the cell without mitigation, None where there is no such cell. `against_best` is that
    to the cell of the same network, devices and temperature whose mean is least at the end, with
    its names; None in the entry of that cell.
    """
    return [_entry(table, i, energy, limits[cell.network]) for i, cell in enumerate(table.cells)]


def _entry(table: Table, i: int, energy: Energy, limit: float) -> dict[str, Any]:
    cell, last = table.cells[i], table.per_step[i, :, -1]
    over_time = [mean_over_chips(table.per_step[i, :, k]) for k in range(len(table.times_s))]
    baseline = _baseline(table, cell)
    return {
        **{axis: getattr(cell, axis) for axis in AXES},
        "chips": over_time[-1].n,
        "mean": [_number(found.mean) for found in over_time],
        "half_width": [found.half_width for found in over_time],
        "std": [found.std for found in over_time],
        "quantiles": _quantiles(table.per_step[i]),
        "within": _within(table.per_step[i], limit),
        "per_sequence": [_number(x) for x in _means(table.per_sequence[i])],
        "against_none": None if baseline is None else _mean(paired(last, baseline)),
        "against_best": _against_best(table, i),
        "chips_needed": _needed(over_time[-1]),
        "cost": _cost(table, i, energy),
    }


def _baseline(table: Table, cell: Cell) -> np.ndarray | None:
    bare = Cell(cell.network, cell.devices, cell.temperature, "none", "none")
    if bare == cell or bare not in table.cells:
        return None
    return np.asarray(table.per_step[table.cells.index(bare), :, -1])


def _against_best(table: Table, i: int) -> dict[str, Any] | None:
    best = _best(table, table.cells[i])
    if best is None or best == i:
        return None
    names = {"refresh": table.cells[best].refresh, "compensation": table.cells[best].compensation}
    return names | _mean(paired(table.per_step[i, :, -1], table.per_step[best, :, -1]))


def _best(table: Table, cell: Cell) -> int | None:
    """Place of the cell that ends with the least mean where `cell` is; None if none is known."""
    where = (cell.network, cell.devices, cell.temperature)
    means = {
        i: mean_over_chips(table.per_step[i, :, -1]).mean
        for i, other in enumerate(table.cells)
        if (other.network, other.devices, other.temperature) == where
    }
    known = {i: mean for i, mean in means.items() if math.isfinite(mean)}
    return min(known, key=lambda i: known[i]) if known else None


def _quantiles(metric: np.ndarray) -> dict[str, list[float | None]]:
    """Median and 5 to 95 % band over chips at each time."""
    known = metric[np.isfinite(metric).all(axis=1)]
    if not len(known):
        return {name: [None] * metric.shape[1] for name in ("q05", "q50", "q95")}
    found = np.quantile(known, (0.05, 0.5, 0.95), axis=0)
    return {n: row.tolist() for n, row in zip(("q05", "q50", "q95"), found, strict=True)}


def _within(metric: np.ndarray, limit: float) -> list[float | None]:
    """Share of the measured chips within the limit at each time."""
    known = metric[np.isfinite(metric).all(axis=1)]
    if not len(known):
        return [None] * metric.shape[1]
    return [float(x) for x in (known <= limit).mean(axis=0)]


def _means(metric: np.ndarray) -> np.ndarray:
    return np.array([mean_over_chips(column).mean for column in metric.T])


def _needed(last: Mean) -> int | None:
    if last.std is None:
        return None
    needed = chips_needed(last.std, WANTED)
    return None if needed >= MOST_CHIPS else needed


def _cost(table: Table, i: int, energy: Energy) -> dict[str, float | None]:
    """Mean over chips: of one calibration, of all refreshes until the end, and of the beginning."""
    each = _mean_cost(table.calibration[i].mean(axis=1))
    refresh = _mean_cost(table.refresh[i].sum(axis=1))
    first = _mean_cost(table.commissioning[i])
    return {
        "products": None if each is None else each.products,
        "energy_pj": None if each is None else each.energy_pj(energy),
        "programmed": None if refresh is None else refresh.programmed,
        "refresh_products": None if refresh is None else refresh.products,
        "refresh_energy_pj": None if refresh is None else refresh.energy_pj(energy),
        "commissioning_products": None if first is None else first.products,
        "commissioning_programmed": None if first is None else first.programmed,
        "commissioning_energy_pj": None if first is None else first.energy_pj(energy),
    }


def _mean_cost(counts: np.ndarray) -> Cost | None:
    """Mean of counts (chips, 4) over the chips that were measured."""
    rows = counts[np.isfinite(counts).all(axis=1)]
    return Cost(*(round(x) for x in rows.mean(axis=0))) if len(rows) else None


def _mean(found: Mean) -> dict[str, float | None]:
    return {
        "mean": _number(found.mean),
        "half_width": found.half_width,
        "chips": found.n,
    }


def _number(x: float) -> float | None:
    return x if math.isfinite(x) else None
