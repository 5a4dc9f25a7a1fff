"""Where the command line writes: results to standard output, progress and errors to the other."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# No markup: names, paths and sources are shown as they are, brackets included.
out = Console(highlight=False, soft_wrap=True, markup=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def progress() -> Progress:
    """Progress bar with counts and the time left; drawn on standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=err,
        # In a file or a pipe a redrawn bar is noise.
        disable=not err.is_terminal,
    )


class Bar:
    """One line of a progress display that jobs report to as (done, total)."""

    def __init__(self, display: Progress, description: str) -> None:
        self._display = display
        self._task = display.add_task(description, total=None, note="", visible=False)

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` steps are done."""
        self._display.update(self._task, completed=done, total=total, note=note, visible=True)
