"""`pcmsim train`."""

from pathlib import Path
from typing import Annotated

import typer

from pcmsim import jobs
from pcmsim.cli import console
from pcmsim.config import load_config
from pcmsim.loop import EpochReport


def train(
    config: Annotated[
        Path, typer.Argument(help="Configuration (YAML), e.g. configs/jsb-snu.yaml.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Run folder; runs/NAME-seedN unless given.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="File or folder of the data set, for jsb; else PCMSIM_DATA."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that stopped.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change one value, e.g. seed=1; repeatable."
        ),
    ] = None,
) -> None:
    """Train a network in software and write a run folder with weights, log, results and report."""
    loaded = load_config(config, tuple(settings or ()))
    folder = out or Path("runs") / f"{config.stem}-seed{loaded.seed}"
    with console.progress() as display:
        loading, training = console.Bar(display, "chorales"), console.Bar(display, "training")

        def on_epoch(epoch: EpochReport) -> None:
            note = f"validation {epoch.valid_nll:.3f} nat/step"
            training(epoch.epoch, loaded.training.epochs, note)

        results = jobs.train(loaded, folder, data, resume, on_epoch, loading)
    page = jobs.report(folder)
    console.out.print(
        f"{results['task']} {results['network']} {results['unit']}: test "
        f"{results['software_metric']:.4f} nat/step ({results['software_metric_per_sequence']:.4f} "
        f"per chorale), epoch {results['best_epoch']} chosen on validation"
    )
    console.out.print(f"run: {folder}\nreport: {page}")
