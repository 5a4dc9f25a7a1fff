"""Measurement files of all kinds, read into one campaign, and what is remembered of each."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from pcmsim.calibration.records import Campaign, DriftTraces
from pcmsim.errors import DataError, UsageError
from pcmsim.measurements.reading import read_campaign

HDF5 = (".h5", ".hdf5", ".nc")


@dataclass(frozen=True)
class Source:
    """One file: its name, size, SHA-256, and what was found in it."""

    name: str
    size: int
    sha256: str
    counts: dict[str, int]

    def text(self) -> str:
        """One line, as it stands in a parameter set.

        >>> Source("a.h5", 12, "ab" * 32, {"drift traces": 40}).text()
        'a.h5 (SHA-256 abababababababab..., 40 drift traces)'
        """
        counts = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        return f"{self.name} (SHA-256 {self.sha256[:16]}..., {counts or 'nothing'})"


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
    """One campaign from several files, and a note on each.

    HDF5 of the layout of `docs/measurement-format.md`. Raises `DataError` for files that cannot be
    read, or that two instruments made.
    """
    campaigns, sources = [], []
    for path in (Path(path) for path in paths):
        if not path.is_file():
            raise DataError(f"{path} is no file; check the path")
        if path.suffix not in HDF5:
            raise UsageError(f"{path}: measurement files end in {', '.join(HDF5)}")
        found = read_campaign(path)
        campaigns.append(found)
        sources.append(
            Source(path.name, path.stat().st_size, _sha256(path), campaign_counts(found))
        )
    return _merged(campaigns, sources), sources


def _merged(campaigns: Sequence[Campaign], sources: Sequence[Source]) -> Campaign:
    first = campaigns[0]
    for other, source in zip(campaigns[1:], sources[1:], strict=True):
        for field in fields(first.instrument):
            a, b = (getattr(c.instrument, field.name) for c in (first, other))
            if field.name not in ("chip", "name") and not np.isclose(a, b, equal_nan=True):
                raise DataError(
                    f"{source.name} has {field.name} = {b:g}, {sources[0].name} has {a:g}; "
                    f"calibrate them one by one"
                )
    single: dict[str, Any] = {}
    for name in ("set_drift", "staircases", "curve", "yields"):
        found = [getattr(c, name) for c in campaigns if getattr(c, name) is not None]
        if len(found) > 1:
            raise DataError(f"several files hold {name}; give one, or calibrate them one by one")
        single[name] = found[0] if found else None
    return replace(
        first,
        drift=Chain(tuple(c.drift for c in campaigns)),
        reads=tuple(reads for c in campaigns for reads in c.reads),
        **single,
    )


def campaign_counts(campaign: Campaign) -> dict[str, int]:
    """How many rows of each kind a campaign holds; drift is iterated once."""
    counts = {
        "drift traces": sum(part.g.shape[0] for part in campaign.drift),
        "bursts of reads": sum(reads.g.shape[0] for reads in campaign.reads),
        "staircases": campaign.staircases.device.size if campaign.staircases else 0,
        "traces after SET": campaign.set_drift.device.size if campaign.set_drift else 0,
        "programming curves": campaign.curve.device.size if campaign.curve else 0,
        "devices in a yield map": campaign.yields.device.size if campaign.yields else 0,
    }
    return {what: count for what, count in counts.items() if count}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
