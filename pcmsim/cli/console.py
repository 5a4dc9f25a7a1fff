"""Where the command line writes: results to standard output, progress and errors to the other."""

import signal
import threading
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pcmsim.config import Config
from pcmsim.datasets import FACTS

# No markup: names, paths and sources are shown as they are, brackets included.
out = Console(highlight=False, soft_wrap=True, markup=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def plain(text: str) -> str:
    r"""Text from a file without what a terminal would obey: such characters as escapes.

    >>> plain("a\x1b[2Jb µ")
    'a\\x1b[2Jb µ'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


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


def metric_note(value: float, config: Config) -> str:
    """What a progress bar says of a network on the validation split."""
    metric = FACTS[config.data.name].metric
    told = metric.name if metric.unit == "1" else metric.unit
    return f"validation {value:.{3 if value >= 1.0 else 4}f} {told}"


def metric_title(results: dict[str, Any], chips: int) -> str:
    """Title of a table of the metric on chips."""
    name, unit = results["metric"]["name"], results["metric"]["unit"]
    return f"{name}{'' if unit == '1' else f' [{unit}]'}, mean ± std of {chips} chips"


class Stopped(BaseException):
    """Ctrl-C. An exception of its own, because typer swallows KeyboardInterrupt without a word."""


_stop_wanted, _stepping = threading.Event(), threading.Event()


def listen_for_ctrl_c() -> None:
    """Stop at Ctrl-C: at the next step where a bar counts steps, and at once elsewhere.

    At once would be anywhere, also while a library calls back into Python, where exceptions end
    unseen; a second Ctrl-C does not wait.
    """
    _stop_wanted.clear()
    _stepping.clear()
    signal.signal(signal.SIGINT, _stop)


def interrupted() -> bool:
    """Whether Ctrl-C was pressed; an error that follows may be nothing but its echo."""
    return _stop_wanted.is_set()


def _stop(*_: object) -> None:
    at_once = _stop_wanted.is_set() or not _stepping.is_set()
    _stop_wanted.set()
    if at_once:
        raise Stopped


class Bar:
    """One line of a progress display that jobs report to as (done, total)."""

    def __init__(self, display: Progress, description: str) -> None:
        _stepping.set()
        self._display = display
        self._task = display.add_task(description, total=None, note="", visible=False)

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` steps are done; raises `Stopped` after a Ctrl-C."""
        if _stop_wanted.is_set():
            raise Stopped
        self._display.update(self._task, completed=done, total=total, note=note, visible=True)
