"""The sections that are tables: parameters, what was left out, not identified, and the files."""

import importlib.metadata
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pcmsim.calibration.calibrate import Calibration
from pcmsim.devices.params import Entry, ParameterSet
from pcmsim.measurements import Source
from pcmsim.report.calibration_records import Cell, Section, Table
from pcmsim.report.text import unit as unit_text

_PACKAGES = ("pcmsim", "numpy", "scipy", "matplotlib")
_ROWS = 8


def parameter_section(calibration: Calibration, base: ParameterSet) -> Section:
    """Every entry of the set: fitted ones coefficient by coefficient, then those that were kept."""
    found = calibration.parameter_set
    head = ("entry", "coefficient", "value", "s.e.", "unit", base.name, "source")
    fitted: list[tuple[Cell, ...]] = []
    rest: list[tuple[Cell, ...]] = []
    for name, entry in found.entries.items():
        rows = list(_rows(name, entry, base.entries.get(name), found.source))
        (rest if entry.stderr is None else fitted).extend(rows)
    tables = (
        Table("Fitted entries; g is the conductance relative to g_max.", head, tuple(fitted)),
        Table(
            "Entries without a standard error: conventions, and what was kept.",
            head,
            tuple(rest),
            folded=True,
        ),
    )
    about = (
        f"Values of {found.name} with standard errors, beside those of the base set {base.name}. "
        f"The base set is another chip, not the truth."
    )
    return Section("Parameters", about, (), tables)


def coefficients(value: Any) -> dict[str, Any]:
    """Coefficients of a law by name; a plain value has one without name.

    >>> coefficients({"polynomial": [0.3, 2.0]}), coefficients(0.5)
    ({'c0': 0.3, 'c1': 2.0}, {'': 0.5})
    """
    match value:
        case {"polynomial": list() | tuple() as terms}:
            return {f"c{k}": term for k, term in enumerate(terms)}
        case {"x": list() | tuple() as x, "y": list() | tuple() as y}:
            return {f"at g = {a:.4g}": b for a, b in zip(x, y, strict=True)}
        case {"constant": constant}:
            return {"": constant}
        case Mapping():
            return dict(_flat(value))
    return {"": value}


def _flat(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Numbers of a law whose coefficients are lists, each by its own name."""
    for name, item in value.items():
        if isinstance(item, list | tuple):
            yield from ((f"{name}[{k}]", term) for k, term in enumerate(item))
        else:
            yield name, item


def _rows(name: str, entry: Entry, other: Entry | None, source: str) -> Iterator[tuple[Cell, ...]]:
    """Rows of one entry; the base set's value in another form stands in the first of them."""
    found, errors = coefficients(entry.value), _errors(entry)
    kept = coefficients(other.value) if other is not None else {}
    same = set(kept) == set(found)
    # The files are named once, below.
    told = entry.source.replace(f"; {source}", "")
    for i, (part, value) in enumerate(found.items()):
        whole = "" if i or other is None else other.value
        first = (name, told) if i == 0 else ("", "")
        beside = kept[part] if same else whole
        unit = "" if i else unit_text(entry.unit)
        yield first[0], part, value, errors.get(part, ""), unit, beside, first[1]


def _errors(entry: Entry) -> dict[str, Any]:
    """Standard errors by the names of the coefficients."""
    names = list(coefficients(entry.value))
    match entry.stderr:
        case None:
            return {}
        case Mapping():
            return dict(_flat(entry.stderr))
        case list() | tuple():
            return dict(zip(names, entry.stderr, strict=False))
    return {names[0]: entry.stderr}


def exclusion_section(calibration: Calibration) -> Section:
    """What the fits left out, with counts and reasons."""
    rows = tuple(
        (x.dataset, x.count, x.what, x.reason, ", ".join(map(str, x.rows[:_ROWS])) or "not listed")
        for x in calibration.exclusions
    )
    text = "Nothing was left out." if not rows else "Everything that a fit did not use, and why."
    head = ("data set", "count", "of", "reason", "first rows")
    return Section("Left out", text, (), (Table("Exclusions.", head, rows),) if rows else ())


def unidentified_section(calibration: Calibration) -> Section:
    """What the campaign says nothing about, and which measurement would."""
    rows = tuple((x.entry, x.why, x.measurement, x.kept) for x in calibration.unidentified)
    text = "Everything was identified." if not rows else "What this campaign cannot tell."
    head = ("entry", "why", "measurement that would tell", "kept instead")
    table = (Table("Entries that were not identified.", head, rows),) if rows else ()
    return Section("Not identified", text, (), table)


def source_section(calibration: Calibration, sources: Sequence[Source], date: str) -> Section:
    """Files with their hashes and counts, the day, and versions."""
    files = tuple(
        (
            s.name,
            s.kind,
            s.size,
            s.sha256,
            ", ".join(f"{n:,} {what}" for what, n in s.counts.items()),
        )
        for s in sources
    )
    instrument = calibration.instrument
    about: list[tuple[Cell, ...]] = [
        ("calibrated", date),
        *((name, version) for name, version in versions().items()),
        ("chip", instrument.chip or None),
        ("instrument", instrument.name or None),
        ("integration time of a read [s]", instrument.t_read_s),
        ("converter step [µS]", instrument.g_step),
        ("noise of the instrument [µS]", instrument.g_noise_std),
        ("read voltage [V]", instrument.read_voltage_v),
        ("temperature [K]", instrument.temperature_k),
    ]
    tables = (
        Table("Files.", ("file", "kind", "bytes", "SHA-256", "found in it"), files),
        Table("Campaign and program.", ("what", "value"), tuple(about)),
    )
    return Section("Sources", "What this calibration was made from.", (), tables)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), **found}
