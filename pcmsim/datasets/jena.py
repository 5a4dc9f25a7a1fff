"""The weather of Jena from hour to hour, to predict the temperature of the next day.

Fourteen quantities measured every ten minutes from 2009 to 2016 by the weather station of the Max
Planck Institute for Biogeochemistry (https://www.bgc-jena.mpg.de/wetter/), in the copy that goes
around as `jena_climate_2009_2016.csv`.
"""

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pcmsim.datasets import cache
from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.found import find
from pcmsim.datasets.regression import Regression
from pcmsim.errors import DataError, UsageError

FILE = "jena_climate_2009_2016.csv"
WHEN, TEMPERATURE = "Date Time", "T (degC)"
DAY_FORMAT = "%d.%m.%Y %H:%M:%S"
MISSING = -9999.0  # what the station writes for a wind that it could not measure
AHEAD_H = 24
STEPS = 120
SHARES = {"train": 0.75, "valid": 0.125, "test": 0.125}  # of eight years: six, one and one
LONGEST_H = 1_000_000
FARTHEST = 1e6  # standard deviations; no weather is there, but a value that was mistyped
REMEDY = "fetch the weather of Jena, 2009 to 2016, as one table"

# What the reader of tables raises on damaged files.
DAMAGE = (OSError, ValueError, EOFError, MemoryError, zlib.error)
Float64 = np.ndarray[Any, np.dtype[np.float64]]


def load_jena(path: Path | None = None, steps: int = STEPS) -> Dataset:
    """Load windows of `steps` hours; the target of each hour is the temperature a day later.

    The first 75 % of the hours are to train with, the next 12.5 % to choose by, the last to test.
    Windows follow one another without overlap, and no target lies in another split. Each column is
    standardised by mean and standard deviation of the training hours. A value that is missing is
    the last one known, at the start the mean; a target that is missing is masked.
    `path` is the file, or a folder with it or with a subfolder `jena`, else PCMSIM_DATA names it.
    Raises `DataError` in one line for a file that is missing, damaged, too short or holds anything
    else, `UsageError` for no steps.
    """
    if steps < 1:
        raise UsageError(f"steps = {steps}; a window has at least one hour")
    (found,) = find("jena", [FILE], path, REMEDY, packed=True)
    hours, columns = read_hours(found)
    ends = np.rint(np.cumsum([0.0, *SHARES.values()]) * len(hours)).astype(int)
    if len(hours) * min(SHARES.values()) < steps + AHEAD_H + 1:
        raise DataError(
            f"{found} holds {len(hours)} hours; windows of {steps} hours need at least "
            f"{math.ceil((steps + AHEAD_H + 1) / min(SHARES.values()))}"
        )
    standard, std = _standardised(hours, hours[: ends[1]], columns, found)
    target = columns.index(TEMPERATURE)
    train, valid, test = (
        windows(name, standard[a:b], target, steps, float(std[target]))
        for name, a, b in zip(SHARES, ends[:-1], ends[1:], strict=True)
    )
    source = f"weather of Jena, {found.name}, SHA-256 {cache.checksum(found)}"
    return Dataset("jena", train, valid, test, source)


def windows(name: str, standard: Float64, target: int, steps: int, scale: float) -> Regression:
    """Cut hours (n, columns), NaN where missing, into windows of `steps` hours with targets.

    Window k starts at hour k `steps`; the target of hour t is column `target` of hour t + 24.
    """
    inputs = pd.DataFrame(standard).ffill().fillna(0.0).to_numpy(dtype=np.float32)
    later = standard[AHEAD_H:, [target]]
    seen = ~np.isnan(later[:, 0])
    targets = np.where(seen[:, None], later, 0.0).astype(np.float32)
    starts = range(0, len(later) - steps + 1, steps)
    return Regression(
        name,
        tuple(inputs[k : k + steps] for k in starts),
        tuple(targets[k : k + steps] for k in starts),
        tuple(seen[k : k + steps] for k in starts),
        scale,
        "degC",
    )


def read_hours(path: Path) -> tuple[Float64, list[str]]:
    """Values at every full hour from the first to the last, NaN where missing, and their columns.

    A row out of order or given twice counts where it belongs, the last of several. Raises
    `DataError` for a file that is damaged or lacks the time or the temperature.
    """
    try:
        table = pd.read_csv(path)
    except DAMAGE as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise DataError(f"{path} is damaged or no table: {reason:.150}") from error
    missing = [column for column in (WHEN, TEMPERATURE) if column not in table]
    if missing:
        raise DataError(f"{path} lacks the columns {', '.join(missing)}")
    when = pd.to_datetime(table.pop(WHEN), format=DAY_FORMAT, errors="coerce")
    words = [column for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    if when.isna().any() or words:
        wrong = f"column {words[0]}" if words else f"{WHEN} of row {when.isna().argmax() + 1}"
        raise DataError(f"{path}: {wrong} is not as published (numbers; 01.01.2009 00:10:00)")
    full = ((when.dt.minute == 0) & (when.dt.second == 0)).to_numpy()
    if not full.any():
        raise DataError(f"{path} holds no value at a full hour")
    values = table[full].to_numpy(dtype=np.float64)
    values[(values == MISSING) | ~np.isfinite(values)] = np.nan
    hour = ((when[full] - when[full].min()) // pd.Timedelta(hours=1)).to_numpy()
    if hour.max() >= LONGEST_H:
        raise DataError(f"{path} spans {hour.max()} hours; at most {LONGEST_H} are taken")
    hours = np.full((hour.max() + 1, values.shape[1]), np.nan)
    hours[hour] = values
    return hours, list(table.columns)


def _standardised(
    hours: Float64, train: Float64, columns: list[str], path: Path
) -> tuple[Float64, Float64]:
    """All `hours` in standard deviations of `train` from its mean, and these deviations."""
    for column, values in zip(columns, train.T, strict=True):
        known = values[~np.isnan(values)]
        if not known.size or known.min() == known.max():
            raise DataError(f"{path}: {column} does not vary over the hours to train with")
    with np.errstate(all="ignore"):
        std: Float64 = np.nanstd(train, axis=0)
        standard: Float64 = (hours - np.nanmean(train, axis=0)) / std
    farthest = np.nanmax(np.abs(standard), axis=0)
    for column, spread, most in zip(columns, std, farthest, strict=True):
        if not (np.isfinite(spread) and most <= FARTHEST):
            raise DataError(
                f"{path}: {column} holds values more than {FARTHEST:g} standard deviations of the "
                f"hours to train with from their mean, or a spread that is no number; mend them, "
                f"or leave them empty"
            )
    return standard, std
