"""`pcmsim`: all commands, and one line with an exit code for each kind of error."""

import sys

import typer
from rich.text import Text

from pcmsim import __version__
from pcmsim.cli import console
from pcmsim.cli.calibrate import calibrate
from pcmsim.cli.check import check
from pcmsim.cli.convert import convert
from pcmsim.cli.demo import demo
from pcmsim.cli.devices import devices
from pcmsim.cli.drift import drift
from pcmsim.cli.live import live
from pcmsim.cli.measure import measure
from pcmsim.cli.report import report
from pcmsim.cli.study import study
from pcmsim.cli.train import train
from pcmsim.errors import PcmsimError

USAGE, DATA, INTERRUPTED = 2, 3, 130
# How torch says what Python calls a MemoryError.
NO_MEMORY = "can't allocate memory"
STOPPED = (
    "stopped; what was written stays, and a training or live run or a study goes on with --resume"
)

app = typer.Typer(
    help="Spiking networks on phase-change memory: train, write onto simulated chips, and watch "
    "them drift for days, or train with chips in the loop. Exit codes: 2 for a wrong command or "
    "config, 3 for data or a disk that cannot be used, 4 for hardware that failed, 1 for training "
    "that diverged or a fault of pcmsim itself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    train,
    live,
    drift,
    study,
    report,
    devices,
    measure,
    check,
    calibrate,
    convert,
    demo,
):
    app.command()(command)


@app.callback(invoke_without_command=True)
def version(
    show: bool = typer.Option(False, "--version", help="Show the version and exit."),
) -> None:
    """Show the version if asked to."""
    if show:
        console.out.print(f"pcmsim {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; errors that a user can mend end in one line, without a traceback."""
    console.listen_for_ctrl_c()
    try:
        app()
    except console.Stopped:
        _end(STOPPED, INTERRUPTED)
    except (PcmsimError, OSError, MemoryError) as error:
        if console.interrupted():
            _end(STOPPED, INTERRUPTED)
        _end(*_explained(error))
    except Exception as error:
        if console.interrupted():
            _end(STOPPED, INTERRUPTED)
        if isinstance(error, RuntimeError) and NO_MEMORY in str(error):
            _end(*_explained(MemoryError(str(error).partition(NO_MEMORY)[2].strip(" :"))))
        raise


def _explained(error: Exception) -> tuple[str, int]:
    if isinstance(error, PcmsimError):
        return str(error), error.exit_code
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}); ask for less at once", USAGE
    return f"{error}; check the path, its permissions and the space on the disk", DATA


def _end(message: str, code: int) -> None:
    line = console.plain(" ".join(message.split()))
    console.err.print(Text.assemble(("error: ", "bold red"), line))
    sys.exit(code)
