"""Columns of a table as quantities: microsiemens, seconds, microamperes or volts, whole numbers."""

import re

import numpy as np
import pandas as pd

from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError, UsageError
from pcmsim.measurements.cells import row
from pcmsim.measurements.columns import (
    CONDUCTANCES,
    COUNTS,
    CURRENTS,
    RESISTANCES,
    TIMES,
    UNITS,
    VOLTAGES,
    Column,
    plain_unit,
)

# Units in headings: G [uS], R (ohm), R_ohm.
_HEADING = re.compile(r"[\[(]\s*([^\[\]()]+?)\s*[\])]\s*$|_([A-Za-zµμΩ]+)$")
_WHOLE = (
    "programming",
    "cycle",
    "sweep",
    "pulse",
    "row",
    "column",
    "converged",
    "state",
    "iterations",
)


def unit_of(quantity: str, column: Column, heading: str, where: str) -> str:
    """Unit of a column, from the map or the heading.

    Raises `DataError` if they contradict, `UsageError` if neither says it.

    >>> unit_of("g", Column(name="G [S]"), "G [S]", "a.csv")
    'S'
    """
    allowed = UNITS.get(quantity, ())
    match = _HEADING.search(heading)
    found, stated = plain_unit(match[1] or match[2]) if match else "", plain_unit(column.unit or "")
    found = found if found in allowed else ""
    if found and stated and found != stated:
        raise DataError(
            f"{where}: the heading {heading!r:.40} says {found}, the column map says {stated}"
        )
    unit = stated or found
    if allowed and not unit:
        raise UsageError(
            f"{where}: columns.{quantity}.unit is missing; it is one of {', '.join(allowed)}"
        )
    if unit in CURRENTS and quantity.startswith("g") and column.read_v is None:
        raise UsageError(f"{where}: columns.{quantity}.read_v is missing, the voltage of a read")
    return unit


def quantity_of(raw: FloatArray, column: Column, unit: str) -> FloatArray:
    """Numbers of a column in the unit of the records.

    >>> quantity_of(np.array([1e5]), Column(name="R"), "ohm")
    array([10.])
    """
    x = column.scale * (raw - column.offset)
    if unit in RESISTANCES:
        with np.errstate(divide="ignore"):
            return RESISTANCES[unit] / x
    if unit == COUNTS:
        return x * (column.gain_us or 1.0)
    factor = {**TIMES, **CONDUCTANCES, **CURRENTS, **VOLTAGES}.get(unit, 1.0)
    return x * factor / (column.read_v or 1.0)


def check_quantity(values: pd.Series, quantity: str, where: str) -> None:
    """Raise `DataError` for a value that no record can hold: only conductances may be missing."""
    x = values.to_numpy()
    bad = np.flatnonzero(np.isinf(x))
    if bad.size:
        at = row(values, int(bad[0]))
        raise DataError(f"{where}: {at}: {quantity} would be infinite; check value and unit")
    if quantity in ("g", "g_min", "g_max", "g_verify"):
        return
    bad = np.flatnonzero(np.isnan(x))
    if bad.size:
        at = row(values, int(bad[0]))
        raise DataError(f"{where}: {at}: {quantity} is missing; only conductances may be")
    bad = np.flatnonzero((x != np.floor(x)) | (np.abs(x) > 2**53))
    if quantity in _WHOLE and bad.size:
        at = row(values, int(bad[0]))
        raise DataError(f"{where}: {at}: {quantity} = {x[bad[0]]:g} must be a whole number")
