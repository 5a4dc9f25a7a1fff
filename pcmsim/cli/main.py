"""`pcmsim`: all commands, and one line with an exit code for each kind of error."""

import signal
import sys

import typer
from rich.text import Text

from pcmsim import __version__
from pcmsim.cli import console
from pcmsim.cli.demo import demo
from pcmsim.cli.devices import devices
from pcmsim.cli.drift import drift
from pcmsim.cli.report import report
from pcmsim.cli.train import train
from pcmsim.errors import PcmsimError

USAGE, DATA, INTERRUPTED = 2, 3, 130

app = typer.Typer(
    help="Spiking networks on phase-change memory: train, write onto simulated chips, and watch "
    "them drift for days. Exit codes: 2 for a wrong command or config, 3 for data or a disk that "
    "cannot be used, 1 for training that diverged or a fault of pcmsim itself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (train, drift, report, devices, demo):
    app.command()(command)


@app.callback(invoke_without_command=True)
def version(
    show: bool = typer.Option(False, "--version", help="Show the version and exit."),
) -> None:
    """Show the version if asked to."""
    if show:
        console.out.print(f"pcmsim {__version__}")
        raise typer.Exit


class _Stopped(BaseException):
    """Ctrl-C. An exception of its own, because typer swallows KeyboardInterrupt without a word."""


def main() -> None:
    """Run the command line; errors that a user can mend end in one line, without a traceback."""
    signal.signal(signal.SIGINT, _stop)
    try:
        app()
    except PcmsimError as error:
        _end(str(error), error.exit_code)
    except OSError as error:
        _end(f"{error}; check the path, its permissions and the space on the disk", DATA)
    except MemoryError as error:
        _end(f"not enough memory ({error}); ask for less at once", USAGE)
    except _Stopped:
        _end(
            "stopped; what was written stays, and a training run goes on with --resume", INTERRUPTED
        )


def _stop(*_: object) -> None:
    raise _Stopped


def _end(message: str, code: int) -> None:
    line = " ".join(message.split())
    console.err.print(Text.assemble(("error: ", "bold red"), line))
    sys.exit(code)
