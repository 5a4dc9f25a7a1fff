"""From the temperature that a configuration asks for to the ambient that a chip stands in."""

import csv
import math
from pathlib import Path

import numpy as np

from pcmsim.config import Temperature, evaluated
from pcmsim.devices import Ambient
from pcmsim.errors import DataError, UsageError

HEADER = ("t_s", "temperature_c")
# Nineteen years of ten-minute steps.
MOST_STEPS = 1_000_000


def ambient_of(temperature: Temperature, span_s: float, folder: Path = Path()) -> Ambient:
    """Ambient that `temperature` asks for, over `span_s` seconds of the clock from 0 on.

    Files are looked for in `folder`. A formula is evaluated in the middle of each step, over one
    period if it has one; after the span its last temperature stays.
    Raises `UsageError` for a span or steps that are not allowed, and `DataError` for a file that
    cannot be used; both before any work.

    >>> ambient_of(Temperature(formula="20 + t_s/3600", step_s=3600.0), 7200.0).temperature_c
    (20.5, 21.5)
    """
    if not (math.isfinite(span_s) and span_s > 0.0):
        raise UsageError(f"span_s must be finite and above 0 s; got {span_s:g}")
    if temperature.celsius is not None:
        return Ambient((0.0,), (temperature.celsius,))
    if temperature.csv is not None:
        ambient = _from_csv(folder / temperature.csv, temperature.period_s)
    else:
        ambient = _from_formula(temperature, span_s)
    ambient.check_pieces(span_s)
    return ambient


def _from_formula(temperature: Temperature, span_s: float) -> Ambient:
    period_s, step_s = temperature.period_s, temperature.step_s
    span_s = span_s if period_s is None else period_s
    steps = span_s / step_s
    if not steps <= MOST_STEPS:
        raise UsageError(
            f"temperature: {steps:.3g} steps of {step_s:g} s in {span_s:g} s; at most "
            f"{MOST_STEPS:,} are taken: write a larger step_s or a period_s"
        )
    starts_s = step_s * np.arange(max(math.ceil(steps), 1))
    ends_s = starts_s + step_s
    if period_s is not None:
        starts_s = starts_s[starts_s < period_s]
        ends_s = np.minimum(starts_s + step_s, period_s)
    celsius = evaluated(str(temperature.formula), 0.5 * (starts_s + ends_s))
    return Ambient(starts_s.tolist(), celsius.tolist(), period_s)


def _from_csv(path: Path, period_s: float | None) -> Ambient:
    starts_s, celsius = _rows(path)
    try:
        return Ambient(starts_s, celsius, period_s)
    except UsageError as error:
        raise DataError(f"temperatures {path}: {error}") from None


def _rows(path: Path) -> tuple[list[float], list[float]]:
    """Both columns of a table of temperatures."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.reader(file)
            found = tuple(name.strip() for name in next(table, []))
            if found != HEADER:
                raise DataError(
                    f"temperatures {path}: the first line must be {','.join(HEADER)}; it is "
                    f"{','.join(found)!r:.60}"
                )
            rows = [_numbers(path, table.line_num, row) for row in table if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"temperatures {path} cannot be read: {error}") from error
    if not 1 <= len(rows) <= MOST_STEPS:
        raise DataError(f"temperatures {path}: {len(rows):,} rows; from 1 to {MOST_STEPS:,} belong")
    return [t_s for t_s, _ in rows], [celsius for _, celsius in rows]


def _numbers(path: Path, line: int, row: list[str]) -> tuple[float, float]:
    try:
        t_s, celsius = map(float, row)
    except ValueError:
        t_s = celsius = math.nan
    if not (math.isfinite(t_s) and math.isfinite(celsius)):
        raise DataError(
            f"temperatures {path}, line {line}: {','.join(row)!r:.60} is not a time [s] and a "
            f"temperature [°C]"
        )
    return t_s, celsius
