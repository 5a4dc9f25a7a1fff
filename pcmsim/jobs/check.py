"""Faults and warnings of measurement files, one file after another."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pcmsim.calibration.checks import campaign_findings
from pcmsim.calibration.findings import FAULT, Finding
from pcmsim.errors import PcmsimError, UsageError
from pcmsim.measurements import HDF5, load_columns, read_measurements

# Findings of one sort that are kept; a file may have one for each of a million rows.
MOST = 5


@dataclass(frozen=True)
class FileCheck:
    """What was found in one file.

    listed      the first findings of each sort
    others      how many more of the same data set, severity and kind there are
    counts      faults and warnings, those that are not listed included
    """

    path: Path
    listed: tuple[Finding, ...]
    others: dict[tuple[str, str, str], int]
    counts: dict[str, int]

    @property
    def faults(self) -> int:
        """How many faults the file has; with none it can be used."""
        return self.counts.get(FAULT, 0)


def check_files(
    paths: Sequence[Path], columns: Path | None = None, most: int = MOST
) -> Iterator[FileCheck]:
    """Check each file by itself; one that cannot be read has that as its fault.

    At most `most` findings of one data set and kind are listed, the others counted. Raises
    `UsageError` before any work for no file, or a column map that cannot be used.
    """
    if not paths:
        raise UsageError("name at least one measurement file")
    if columns is not None:
        load_columns(columns)
    return (_checked(Path(path), columns, most) for path in paths)


def _checked(path: Path, columns: Path | None, most: int) -> FileCheck:
    return _limited(path, _findings(path, columns), most)


def _findings(path: Path, columns: Path | None) -> Iterator[Finding]:
    try:
        is_table = path.suffix not in HDF5
        campaign, _ = read_measurements([path], columns if is_table else None)
        yield from campaign_findings(campaign)
    except (PcmsimError, OSError, MemoryError) as error:
        yield Finding("file", None, str(error) or type(error).__name__, kind="unreadable")


def _limited(path: Path, findings: Iterable[Finding], most: int) -> FileCheck:
    listed: list[Finding] = []
    sorts: Counter[tuple[str, str, str]] = Counter()
    for finding in findings:
        sort = (finding.dataset, finding.severity, finding.kind)
        sorts[sort] += 1
        if sorts[sort] <= most:
            listed.append(finding)
    counts: Counter[str] = Counter()
    for (_, severity, _), count in sorts.items():
        counts[severity] += count
    others = {sort: count - most for sort, count in sorts.items() if count > most}
    return FileCheck(path, tuple(listed), others, dict(counts))
