"""The report of a run folder."""

from pathlib import Path

from pcmsim import report as pages


def report(run: Path) -> Path:
    """Build `report.html` in the folder of a run and return its path.

    Raises `DataError` for a folder that holds no run, or files that cannot be read.
    """
    return pages.build(run)
