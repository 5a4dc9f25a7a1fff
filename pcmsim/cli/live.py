"""`pcmsim live`."""

from pathlib import Path
from typing import Annotated

import typer

from pcmsim import jobs
from pcmsim.cli import console
from pcmsim.config import load_config
from pcmsim.loop import EpochReport
from pcmsim.units import format_duration


def live(
    config: Annotated[
        Path, typer.Argument(help="Configuration (YAML), e.g. configs/jsb-live.yaml.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Run folder; runs/NAME-seedN unless given.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="File or folder of the data set, if it is in files; else PCMSIM_DATA."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a stream that stopped or ended.")
    ] = False,
    hours: Annotated[
        float | None, typer.Option(help="End when the chip's clock shows so many hours.")
    ] = None,
    sequences: Annotated[int | None, typer.Option(help="End after so many sequences.")] = None,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Answer and never learn, to compare with.")
    ] = False,
    known: Annotated[
        Path | None,
        typer.Option(
            "--known", help="Take software training over from this run of the same network."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change one value, e.g. seed=1; repeatable."
        ),
    ] = None,
) -> None:
    """Let a network live on a chip: answers without an end, and learning while it answers.

    Trains it in software first. Without --hours or --sequences it goes on until Ctrl-C.
    """
    changes = (*(settings or ()), *(("live.frozen=true",) if frozen else ()))
    loaded, end = load_config(config, changes), jobs.End(sequences, hours)
    folder = out or Path("runs") / f"{config.stem}-seed{loaded.seed}"
    with console.progress() as display:
        loading, training = console.Bar(display, "data"), console.Bar(display, "training")
        streaming = console.Bar(display, "live")

        def on_epoch(epoch: EpochReport) -> None:
            training(
                epoch.epoch, loaded.training.epochs, console.metric_note(epoch.valid_metric, loaded)
            )

        def on_sequence(done: int, chip_s: float) -> None:
            streaming(done, sequences or done, f"chip at {format_duration(chip_s)}")

        hooks = (loading, on_epoch, on_sequence)
        results = jobs.live(loaded, folder, data, resume, end, known, *hooks)
    console.out.print(
        f"{results['task']}, {'frozen' if results['frozen'] else 'learning'}: "
        f"{results['sequences']} sequences, chip at {format_duration(results['chip_s'])}"
    )
    if results["loss_last"] is not None:
        console.out.print(
            f"loss per step of answers before learning from them: first interval "
            f"{results['loss_first']:.4f}, all {results['loss_mean']:.4f}, "
            f"last intervals {results['loss_last']:.4f}"
        )
    console.out.print(f"run: {folder}\nlog: {folder / 'live.h5'}")
