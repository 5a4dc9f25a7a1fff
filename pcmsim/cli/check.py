"""`pcmsim check`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pcmsim import jobs
from pcmsim.cli import console
from pcmsim.errors import DataError


def check(
    files: Annotated[list[Path], typer.Argument(help="Measurement files.")],
    columns: Annotated[
        Path | None, typer.Option(help="Column map of tables; TABLE.yaml beside each.")
    ] = None,
    most: Annotated[
        int, typer.Option(min=1, help="How many findings of one sort to list; the rest is counted.")
    ] = 5,
) -> None:
    """List what is wrong with measurement files: faults are refused, warnings are not.

    The exit code is 3 if a file has a fault, and 0 otherwise.
    """
    checked = list(jobs.check_files(files, columns, most))
    if any(file.listed for file in checked):
        console.out.print(_table(checked))
    for file in checked:
        counts = ", ".join(_counted(count, sort) for sort, count in file.counts.items())
        console.out.print(console.plain(f"{file.path}: {counts or 'nothing is wrong'}"))
    bad = [file for file in checked if file.faults]
    if bad:
        raise DataError(
            f"{_counted(sum(file.faults for file in bad), 'fault')} in "
            f"{_counted(len(bad), 'file')} of {len(checked)}; mend them and check again"
        )


def _table(checked: list[jobs.FileCheck]) -> Table:
    table = Table("file", "dataset", "row", "", "what")
    for file in checked:
        for finding in file.listed:
            row = "" if finding.row is None else str(finding.row)
            cells = (file.path.name, finding.dataset, row, finding.severity, finding.what)
            table.add_row(*map(console.plain, cells))
        for (dataset, severity, kind), count in file.others.items():
            what = f"and {count:,} more of this sort ({kind})"
            table.add_row(*map(console.plain, (file.path.name, dataset, "", severity, what)))
    return table


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
