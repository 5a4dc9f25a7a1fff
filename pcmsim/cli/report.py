"""`pcmsim report`."""

from pathlib import Path
from typing import Annotated

import typer

from pcmsim import jobs
from pcmsim.cli import console


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a training run, a drift run or a study.")],
) -> None:
    """Rebuild report.html of a run folder: one page that needs nothing else to be read."""
    console.out.print(f"report: {jobs.report(run)}")
