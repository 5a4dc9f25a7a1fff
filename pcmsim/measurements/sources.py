"""Measurement files of all kinds, read into one campaign, and what is remembered of each."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from pcmsim.calibration.checks import check_campaign
from pcmsim.calibration.records import Campaign, DriftTraces, Instrument
from pcmsim.errors import DataError, UsageError
from pcmsim.measurements.columns import load_columns
from pcmsim.measurements.opening import SHEETS, TEXTS
from pcmsim.measurements.reading import read_campaign
from pcmsim.measurements.tables import read_table

HDF5 = (".h5", ".hdf5", ".nc")


@dataclass(frozen=True)
class Source:
    """One file: its name, size, SHA-256, what was found in it, and what it is.

    `kind` is "hdf5", "table" or "column map".
    """

    name: str
    size: int
    sha256: str
    counts: dict[str, int]
    kind: str = "hdf5"

    def text(self) -> str:
        """One line, as it stands in a parameter set.

        >>> Source("a.h5", 12, "ab" * 32, {"drift traces": 40}).text()
        'a.h5 (SHA-256 abababababababab..., 40 drift traces)'
        """
        counts = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        nothing = self.kind if self.kind == "column map" else "nothing"
        return f"{self.name} (SHA-256 {self.sha256[:16]}..., {counts or nothing})"


@dataclass(frozen=True)
class Chain:
    """Drift traces of several files, one after another."""

    members: tuple[Any, ...]

    def __iter__(self) -> Iterator[DriftTraces]:
        for member in self.members:
            yield from member


def read_measurements(
    paths: Sequence[Path], columns: Path | None = None
) -> tuple[Campaign, list[Source]]:
    """One campaign from several files, and a note on each, column maps included.

    HDF5 of the layout of `docs/measurement-format.md`, and tables of a lab with a column map:
    `columns` for all of them, or a file of its own beside each, drift.csv.yaml for drift.csv.
    Several files are checked one by one, so that a fault is named with its file. Raises
    `UsageError` for a table without a map, `DataError` for files that cannot be read, that are of
    two chips, or that two instruments made; what one file does not say of the instrument is taken
    from the others.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise UsageError("name at least one measurement file")
    if columns is not None and all(path.suffix in HDF5 for path in files):
        raise UsageError(f"{columns} is a column map, but there is no table among the files")
    campaigns, sources, notes = [], [], []
    for path in files:
        found, note, more = _read(path, columns)
        if len(files) > 1:
            check_campaign(found, path.name)
        campaigns.append(found)
        sources.append(note)
        notes += [note, *more]
    return _merged(campaigns, sources), notes


def _read(path: Path, columns: Path | None) -> tuple[Campaign, Source, list[Source]]:
    """What a file holds, the note on it, and one on its column map."""
    if not path.is_file():
        raise DataError(f"{path} is no file; check the path")
    if path.suffix in HDF5:
        campaign = read_campaign(path)
        return campaign, _source(path, campaign_counts(campaign), "hdf5"), []
    if path.suffix not in (*TEXTS, *SHEETS):
        known = ", ".join((*HDF5, *TEXTS, *SHEETS))
        raise UsageError(f"{path}: measurement files end in {known}")
    beside = path.with_name(f"{path.name}.yaml")
    if columns is None and not beside.is_file():
        raise UsageError(f"{path} is a table; say what its columns mean in {beside.name} beside it")
    mapped = beside if columns is None else Path(columns)
    campaign = read_table(path, load_columns(mapped))
    source = _source(path, campaign_counts(campaign), "table")
    return campaign, source, [_source(mapped, {}, "column map")]


def _source(path: Path, counts: dict[str, int], kind: str) -> Source:
    return Source(path.name, path.stat().st_size, _sha256(path), counts, kind)


def _merged(campaigns: Sequence[Campaign], sources: Sequence[Source]) -> Campaign:
    instrument = _instrument([c.instrument for c in campaigns], sources)
    laws = sorted({c.law for c in campaigns if c.drift})
    if len(laws) > 1:
        raise DataError("some files hold drift, others relaxation; calibrate them one by one")
    single: dict[str, Any] = {}
    for name in ("set_drift", "staircases", "curve", "yields", "levels"):
        found = [getattr(c, name) for c in campaigns if getattr(c, name) is not None]
        if len(found) > 1:
            raise DataError(f"several files hold {name}; give one, or calibrate them one by one")
        single[name] = found[0] if found else None
    return replace(
        campaigns[0],
        instrument=instrument,
        law=laws[0] if laws else campaigns[0].law,
        drift=Chain(tuple(c.drift for c in campaigns)),
        reads=tuple(reads for c in campaigns for reads in c.reads),
        **single,
    )


def _instrument(instruments: Sequence[Instrument], sources: Sequence[Source]) -> Instrument:
    """What all files say together; raises `DataError` where two contradict."""
    known: dict[str, tuple[Any, Source]] = {}
    for instrument, source in zip(instruments, sources, strict=True):
        for field in fields(instrument):
            value = getattr(instrument, field.name)
            if not _stated(value):
                continue
            first, other = known.setdefault(field.name, (value, source))
            if field.name != "name" and not _same(first, value):
                a, b = (v if isinstance(v, str) else f"{v:g}" for v in (first, value))
                raise DataError(
                    f"{source.name} has {field.name} = {b:.60}, {other.name} has {a:.60}; "
                    f"calibrate them one by one"
                )
    return replace(instruments[0], **{name: value for name, (value, _) in known.items()})


def _stated(value: float | str) -> bool:
    """Whether a file says anything: empty, NaN and 0 are what stands where nothing is known."""
    return bool(value) and value == value


def _same(a: float | str, b: float | str) -> bool:
    return a == b if isinstance(a, str) or isinstance(b, str) else bool(np.isclose(a, b, atol=0.0))


def campaign_counts(campaign: Campaign) -> dict[str, int]:
    """How many rows of each kind a campaign holds, and missing reads; drift is iterated once."""
    counts, missing = {"drift traces": 0}, 0
    for part in campaign.drift:
        counts["drift traces"] += part.g.shape[0]
        missing += int(np.isnan(part.g).sum())
    for what, record in (
        *(("bursts of reads", burst) for burst in campaign.reads),
        ("staircases", campaign.staircases),
        ("traces after SET", campaign.set_drift),
        ("programming curves", campaign.curve),
        ("devices programmed in a loop", campaign.levels),
    ):
        if record is not None:
            counts[what] = counts.get(what, 0) + record.g.shape[0]
            missing += int(np.isnan(record.g).sum())
    if campaign.levels is not None:
        missing += int(np.isnan(campaign.levels.g_verify).sum())
    if campaign.yields is not None:
        counts["devices in a yield map"] = campaign.yields.device.size
        missing += int(np.isnan([campaign.yields.g_min, campaign.yields.g_max]).sum())
    return {what: count for what, count in (counts | {"missing reads": missing}).items() if count}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
