"""`pcmsim`: all commands, and one line with an exit code for each kind of error."""

import sys

import typer

from pcmsim import __version__
from pcmsim.cli import console
from pcmsim.cli.demo import demo
from pcmsim.cli.devices import devices
from pcmsim.cli.drift import drift
from pcmsim.cli.report import report
from pcmsim.cli.train import train
from pcmsim.errors import PcmsimError

INTERRUPTED = 130

app = typer.Typer(
    help="Spiking networks on phase-change memory: train, write onto simulated chips, and watch "
    "them drift for days. Exit codes: 2 for a wrong command or config, 3 for data or a disk that "
    "cannot be used, 1 for a fault of pcmsim itself.",
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


def main() -> None:
    """Run the command line; errors that a user can mend end in one line, without a traceback."""
    try:
        app()
    except PcmsimError as error:
        console.err.print(f"[bold red]error:[/] {_escaped(str(error))}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        console.err.print("stopped; what was written stays. `pcmsim train ... --resume` goes on")
        sys.exit(INTERRUPTED)


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")
