"""Tables of a lab as records: reads on grids, one row for each device and turn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pcmsim.calibration.records import (
    UNKNOWN,
    Campaign,
    DriftTraces,
    Instrument,
    ProgrammedLevels,
    ProgrammingCurve,
    RepeatedReads,
    SetStaircases,
    YieldMap,
)
from pcmsim.errors import DataError, UsageError
from pcmsim.measurements.columns import ColumnMap
from pcmsim.measurements.grid import Keys, filled, in_order, keys_of, places, restarts, steps
from pcmsim.measurements.table import Table, load_table

# What each kind needs, and what it may have.
_DRIFT = (("device", "g_target", "t_s", "g"), ("programming", "converged"))
_LOOP = (
    *("device", "g_target", "iterations", "tolerance", "verify_after_s", "g_verify"),
    *("read_after_s", "g"),
)
COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "drift": _DRIFT,
    "relaxation": _DRIFT,
    "set_drift": (("device", "t_s", "g"), ("programming", "converged", "g_target")),
    "reads": (("device", "g_target", "t_s", "g"), ("interval_s",)),
    "staircase": (("device", "read_after_s", "interval_s", "g"), ("cycle", "pulse")),
    "curve": (("device", "amplitude", "t_s", "g"), ("sweep",)),
    "yields": (("device", "g_min", "g_max"), ("row", "column", "state")),
    "levels": (_LOOP, ("converged",)),
}
_AXES = {"programming": "t_s", "cycle": "pulse", "sweep": "amplitude"}


def read_table(path: Path, columns: ColumnMap) -> Campaign:
    """One kind of measurement from a table of a lab (CSV, TSV, text, also .gz, and XLSX).

    What is missing is NaN, nothing is left out. Raises `UsageError` for a map that does not fit the
    kind or the file's ending, `DataError` that names file, column and row for what is in the file.
    """
    _check_map(columns)
    table = load_table(Path(path), columns)
    _count_turns(table, columns)
    member, record = _RECORDS[columns.kind](table)
    given = columns.instrument.model_dump(exclude_none=True)
    members: dict[str, Any] = {member: record}
    if columns.kind == "relaxation":
        members["law"] = "relaxation"
    return Campaign(Instrument(**given), **members)


def _check_map(columns: ColumnMap) -> None:
    needed, allowed = COLUMNS[columns.kind]
    wide = columns.layout == "wide"
    if wide and columns.traces.each in columns.given():
        raise UsageError(f"column map: traces are each a {columns.traces.each}; leave it out below")
    if wide and columns.kind in ("yields", "levels"):
        raise UsageError(f"column map: {columns.kind} need numbers of each device; layout: long")
    given = {*columns.given(), *((columns.traces.each,) if wide else ())}
    for quantity in needed:
        if quantity not in given:
            raise UsageError(
                f"column map: columns.{quantity} is missing; kind: {columns.kind} needs "
                f"{', '.join(needed)} and may have {', '.join(allowed)}"
            )
    for quantity in sorted(given - {*needed, *allowed}):
        raise UsageError(
            f"column map: {quantity} means nothing to kind: {columns.kind}; it has "
            f"{', '.join((*needed, *allowed))}"
        )


def _count_turns(table: Table, columns: ColumnMap) -> None:
    """Number the turns of each device that the map leaves to be counted."""
    for quantity, column in columns.given().items():
        if column.restarts:
            axis = table.given.get(_AXES[quantity])
            if axis is None:
                raise UsageError(f"column map: {quantity} restarts with {_AXES[quantity]}; name it")
            table.given[quantity] = restarts(axis, table.given["device"])


def _rows(table: Table, *names: str) -> Keys:
    return keys_of([table.given[name] for name in names if name in table.given])


def _per_row(table: Table, keys: Keys, name: str, absent: float) -> np.ndarray:
    """A quantity that belongs to the row; raises `DataError` if reads of one row contradict."""
    if name not in table.given:
        return np.full(keys.n, absent)
    values = table.given[name]
    found = values[keys.first]
    # A read that is missing in all rows of a trace does not contradict itself.
    same = (values == found[keys.row]) | (np.isnan(values) & np.isnan(found[keys.row]))
    bad = np.flatnonzero(~same)
    if bad.size:
        first = keys.first[keys.row[bad[0]]]
        raise DataError(
            f"{table.where}: row {bad[0] + 1} has {name} = {values[bad[0]]:g}, but row {first + 1} "
            f"of the same trace {values[first]:g}; name a column that tells them apart"
        )
    return np.asarray(found)


def _whole(table: Table, keys: Keys, name: str, absent: int = 0) -> np.ndarray:
    return _per_row(table, keys, name, absent).astype(np.int64)


def _one(table: Table, name: str) -> float:
    """A quantity that is one number for the whole table."""
    values = table.given[name]
    if values.min() != values.max():
        raise DataError(
            f"{table.where}: {name} is {values.min():g} and {values.max():g}; one file has one"
        )
    return float(values[0])


def _drift(table: Table, member: str = "drift") -> tuple[str, Any]:
    keys = _rows(table, "device", "programming")
    t_s, place = places(table.given["t_s"], keys, "t_s", table.where)
    traces = DriftTraces(
        device=_whole(table, keys, "device"),
        programming=_whole(table, keys, "programming"),
        g_target=_per_row(table, keys, "g_target", 0.0),
        converged=_whole(table, keys, "converged", 1),
        t_s=t_s,
        g=filled(table.given["g"], keys, place, t_s.size, table.where),
    )
    return member, (traces,) if member == "drift" else traces


def _set_drift(table: Table) -> tuple[str, Any]:
    return _drift(table, "set_drift")


def _reads(table: Table) -> tuple[str, Any]:
    keys = _rows(table, "device", "g_target")
    t_s = table.given["t_s"]
    first = t_s[keys.first]
    if "interval_s" in table.given:
        interval_s, place = _one(table, "interval_s"), in_order(keys)
    else:
        interval_s, place = steps(t_s, keys, table.where)
        np.minimum.at(first, keys.row, t_s)
    g = filled(table.given["g"], keys, place, int(place.max()) + 1, table.where)
    device, g_target = _whole(table, keys, "device"), _per_row(table, keys, "g_target", 0.0)
    return "reads", (RepeatedReads(device, g_target, first, interval_s, g),)


def _staircases(table: Table) -> tuple[str, Any]:
    keys = _rows(table, "device", "cycle")
    after, read = places(table.given["read_after_s"], keys, "read_after_s", table.where)
    pulse = table.given.get("pulse")
    pulse = in_order(keys_of([keys.row, read])) if pulse is None else pulse.astype(np.int64)
    if pulse.min() < 0:
        raise DataError(f"{table.where}: row {np.argmin(pulse) + 1}: pulses count from 0, RESET")
    climbs = int(pulse.max()) + 1
    place = pulse * after.size + read
    g = filled(table.given["g"], keys, place, climbs * after.size, table.where)
    return "staircases", SetStaircases(
        device=_whole(table, keys, "device"),
        cycle=_whole(table, keys, "cycle"),
        read_after_s=after,
        interval_s=_one(table, "interval_s"),
        g=g.reshape(keys.n, climbs, after.size),
    )


def _curve(table: Table) -> tuple[str, Any]:
    keys = _rows(table, "device", "sweep")
    amplitude, place = places(table.given["amplitude"], keys, "amplitude", table.where)
    return "curve", ProgrammingCurve(
        device=_whole(table, keys, "device"),
        sweep=_whole(table, keys, "sweep"),
        amplitude=amplitude,
        t_s=_one(table, "t_s"),
        g=filled(table.given["g"], keys, place, amplitude.size, table.where),
        unit=table.amplitude_unit,
    )


def _levels(table: Table) -> tuple[str, Any]:
    keys = _rows(table, "device", "g_target")
    after, place = places(table.given["read_after_s"], keys, "read_after_s", table.where)
    return "levels", ProgrammedLevels(
        device=_whole(table, keys, "device"),
        g_target=_per_row(table, keys, "g_target", 0.0),
        iterations=_whole(table, keys, "iterations"),
        converged=_whole(table, keys, "converged", 1),
        tolerance=_one(table, "tolerance"),
        verify_after_s=_one(table, "verify_after_s"),
        g_verify=_per_row(table, keys, "g_verify", np.nan),
        read_after_s=after,
        g=filled(table.given["g"], keys, place, after.size, table.where),
    )


def _yields(table: Table) -> tuple[str, Any]:
    given, n = table.given, table.given["device"].size
    fields: dict[str, np.ndarray] = {"state": np.full(n, UNKNOWN)}
    if "row" not in given and "column" not in given:
        fields |= {"row": np.zeros(n, np.int64), "column": np.arange(n)}
    whole = ("device", "row", "column", "state")
    fields |= {name: given[name].astype(np.int64) for name in whole if name in given}
    for name in ("row", "column"):
        if name not in fields:
            raise UsageError(f"column map: columns.{name} is missing; give row and column, or none")
    return "yields", YieldMap(g_min=given["g_min"], g_max=given["g_max"], **fields)


_RECORDS: dict[str, Callable[[Table], tuple[str, Any]]] = {
    "drift": _drift,
    "relaxation": _drift,
    "set_drift": _set_drift,
    "reads": _reads,
    "staircase": _staircases,
    "curve": _curve,
    "yields": _yields,
    "levels": _levels,
}
