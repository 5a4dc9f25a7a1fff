"""`pcmsim demo`."""

from pathlib import Path
from typing import Annotated

import typer

from pcmsim import jobs
from pcmsim.cli import console
from pcmsim.cli.drift import show
from pcmsim.loop import EpochReport


def demo(
    out: Annotated[Path, typer.Option(help="Run folder; a number is added if it exists.")] = Path(
        "runs/demo"
    ),
) -> None:
    """Train on Bach chorales, write onto 8 chips, watch four days of drift, build the report."""
    folder, config = jobs.free_folder(out), jobs.demo_config()
    with console.progress() as display:
        loading, training = console.Bar(display, "chorales"), console.Bar(display, "training")
        ageing = console.Bar(display, "chips x times")

        def on_epoch(epoch: EpochReport) -> None:
            note = console.metric_note(epoch.valid_metric, config)
            training(epoch.epoch, config.training.epochs, note)

        results, page = jobs.demo(folder, loading, on_epoch, ageing)
    show(results)
    console.out.print(f"report: {page}")
