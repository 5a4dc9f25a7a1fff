"""All measurements of a study in one place: arrays over cells, chips and times."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pcmsim.studies import store
from pcmsim.studies.plan import Cell, Unit
from pcmsim.studies.unit import COSTS, Lived

AXES = ("network", "devices", "temperature", "refresh", "compensation")


@dataclass(frozen=True)
class Table:
    """Measurements of `cells` on chips at `times_s` [s]; NaN where a chip could not be measured.

    `per_step` and `per_sequence` (cells, chips, times): loss [nat/step]; `calibration` and
    `refresh` (cells, chips, times, 4): counts of `COSTS`, of the calibration at each time and of
    the refreshes since the time before; `commissioning` (cells, chips, 4): of what a compensation
    took to begin with.
    """

    cells: tuple[Cell, ...]
    times_s: tuple[float, ...]
    per_step: NDArray[np.float64]
    per_sequence: NDArray[np.float64]
    calibration: NDArray[np.float64]
    refresh: NDArray[np.float64]
    commissioning: NDArray[np.float64]


def assemble(folder: Path, cells: tuple[Cell, ...], units: tuple[Unit, ...]) -> Table:
    """Read what units have left in `folder`; raises `DataError` if a file is damaged."""
    times_s = units[0].times_s
    shape = (len(cells), 1 + max(unit.chip for unit in units), len(times_s))
    table = Table(
        cells,
        times_s,
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.full((*shape, len(COSTS)), np.nan),
        np.full((*shape, len(COSTS)), np.nan),
        np.full((*shape[:2], len(COSTS)), np.nan),
    )
    places = {cell: i for i, cell in enumerate(cells)}
    for unit in units:
        for life, lived in store.load(folder, unit).items():
            for k, kind in enumerate(life.compensations):
                cell = Cell(unit.network, unit.devices, life.temperature, life.refresh, kind)
                _enter(table, (places[cell], unit.chip), lived, k)
    return table


def _enter(table: Table, place: tuple[int, int], lived: Lived, k: int) -> None:
    table.per_step[place], table.per_sequence[place] = lived.metric[k].T
    table.calibration[place], table.refresh[place] = lived.calibration[k], lived.refresh
    table.commissioning[place] = lived.commissioning[k]


def frame(table: Table) -> pd.DataFrame:
    """One row for each cell, chip and time that was measured."""
    n_cells, n_chips, n_times = table.per_step.shape
    each = n_chips * n_times
    columns: dict[str, object] = {
        axis: np.repeat([getattr(cell, axis) for cell in table.cells], each) for axis in AXES
    }
    columns["chip"] = np.tile(np.repeat(np.arange(n_chips), n_times), n_cells)
    columns["t_s"] = np.tile(table.times_s, n_cells * n_chips)
    columns["metric_per_step"] = table.per_step.ravel()
    columns["metric_per_sequence"] = table.per_sequence.ravel()
    for part, array in (("calibration", table.calibration), ("refresh", table.refresh)):
        for j, cost in enumerate(COSTS):
            columns[f"{part}_{cost}"] = array[..., j].ravel()
    rows = pd.DataFrame(columns).dropna(subset=["metric_per_step"])
    whole = {name: np.int64 for name in rows if name.rpartition("_")[2] in COSTS}
    return rows.astype(whole).reset_index(drop=True)
