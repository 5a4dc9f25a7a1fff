"""Whether the arrays of a record fit together, and whether its axes rise."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pcmsim.calibration.findings import Finding
from pcmsim.devices.laws import FloatArray


def shape_findings(
    record: Any,
    dataset: str,
    per_row: Sequence[str],
    axes: Sequence[str | None],
    first: int = 0,
    whole: Sequence[str] = (),
) -> Iterator[Finding]:
    """Whether `per_row` fields have a value for each row of g, and g a column for each of an axis.

    `axes` names the field of each axis of g after the first, None for one that has none; `whole`
    the fields that hold whole numbers. Faults of this kind forbid to look further.
    """
    row = first or None
    fields = (*per_row, *(axis for axis in axes if axis), "g")
    strange = [f for f in fields if not isinstance(getattr(record, f), np.ndarray)]
    if strange:
        yield Finding(dataset, row, f"{strange[0]} must be a numpy array", kind="shape")
        return
    yield from _kind_findings(record, dataset, fields, whole, row)
    g = record.g
    if g.ndim != 1 + len(axes):
        what = f"g has {g.ndim} dimensions; it needs {1 + len(axes)}"
        yield Finding(dataset, row, what, kind="shape")
        return
    if g.size == 0:
        yield Finding(dataset, row, "there are no reads; leave the group out", kind="shape")
        return
    for field in per_row:
        if getattr(record, field).shape != g.shape[:1]:
            count = getattr(record, field).shape
            plural = "devices" if field == "device" else f"values of {field}"
            size = count[0] if len(count) == 1 else count
            yield Finding(dataset, row, f"{size} {plural} but {g.shape[0]} rows", kind="shape")
    for axis, length in zip(axes, g.shape[1:], strict=True):
        if axis and getattr(record, axis).shape != (length,):
            what = f"{length} reads in a row, but {axis} has shape {getattr(record, axis).shape}"
            yield Finding(dataset, row, what, kind="shape")


def _kind_findings(
    record: Any, dataset: str, fields: Sequence[str], whole: Sequence[str], row: int | None
) -> Iterator[Finding]:
    for field in fields:
        values = getattr(record, field)
        allowed = "iub" if field in whole else "iuf"
        if values.dtype.kind not in allowed:
            needed = "whole numbers" if field in whole else "real numbers"
            what = f"{field} holds {values.dtype}; it must hold {needed}"
            yield Finding(dataset, row, what, kind="shape")


def rising_findings(values: FloatArray, dataset: str, name: str, unit: str) -> Iterator[Finding]:
    """Whether the values of an axis are finite, above zero and increasing.

    >>> t_s = np.array([1.0, 3.0, 2.0])
    >>> [finding.what for finding in rising_findings(t_s, "drift", "t_s", "s")]
    ['t_s[2] = 2 s follows 3 s; they must increase: sort the columns']
    """
    wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0.0)))
    for k in wrong[:1]:
        more = f" (and {wrong.size - 1} more)" if wrong.size > 1 else ""
        what = f"{name}[{k}] = {values[k]:g} {unit}{more} must be above 0 and finite"
        if unit == "s":
            what += "; times count from the last pulse: add the time from the pulse to the read"
        yield Finding(dataset, None, what, kind="axis")
    for k in np.flatnonzero(np.diff(values) <= 0.0)[:1]:
        what = f"{name}[{k + 1}] = {values[k + 1]:g} {unit} follows {values[k]:g} {unit}"
        what += "; they must increase: sort the columns"
        yield Finding(dataset, None, what, kind="order")


def positive_findings(value: Any, dataset: str, name: str, unit: str) -> Iterator[Finding]:
    """Whether a single number is finite and above zero."""
    if not (np.ndim(value) == 0 and np.isfinite(value) and value > 0.0):
        what = f"{name} = {value:g} {unit} must be above 0 and finite"
        yield Finding(dataset, None, what, kind="number")


def target_findings(g_target: FloatArray, dataset: str, first: int = 0) -> Iterator[Finding]:
    """Targets that are no conductance."""
    for at in np.flatnonzero(~(np.isfinite(g_target) & (g_target >= 0.0))):
        what = f"g_target = {g_target[at]:g} uS must be 0 (RESET) or more, and finite"
        yield Finding(dataset, first + int(at), what, kind="target")
