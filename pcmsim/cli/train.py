"""`pcmsim train`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from pcmsim import jobs
from pcmsim.cli import console
from pcmsim.cli.drift import cell_text
from pcmsim.config import load_config
from pcmsim.loop import EpochReport, LoopReport
from pcmsim.units import format_duration, perplexity


def train(
    config: Annotated[
        Path, typer.Argument(help="Configuration (YAML), e.g. configs/jsb-snu.yaml.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Run folder; runs/NAME-seedN unless given.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="File or folder of the data set, if it is in files; else PCMSIM_DATA."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that stopped.")
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
    """Train a network and write a run folder with weights, log, results and report.

    In software; with a section `loop` in the configuration then with chips in the loop.
    """
    loaded = load_config(config, tuple(settings or ()))
    folder = out or Path("runs") / f"{config.stem}-seed{loaded.seed}"
    with console.progress() as display:
        loading, training = console.Bar(display, "data"), console.Bar(display, "training")
        aware, in_loop = console.Bar(display, "noise-aware"), console.Bar(display, "in the loop")

        def on_epoch(epoch: EpochReport) -> None:
            training(
                epoch.epoch, loaded.training.epochs, console.metric_note(epoch.valid_metric, loaded)
            )

        def on_aware(epoch: EpochReport) -> None:
            total = loaded.aware.training.epochs if loaded.aware else epoch.epoch
            aware(epoch.epoch, total, console.metric_note(epoch.valid_metric, loaded))

        def on_loop(chip: int, epoch: LoopReport) -> None:
            phases = loaded.loop.phases if loaded.loop else ()
            before = sum(phase.epochs for phase in phases[: max(epoch.phase - 1, 0)])
            total = sum(phase.epochs for phase in phases)
            note = f"chip {chip}: {console.metric_note(epoch.valid_metric, loaded)}"
            in_loop(before + epoch.epoch, total, note)

        hooks = (on_epoch, loading, on_aware, on_loop)
        results = jobs.train(loaded, folder, data, resume, *hooks, known)
    page = jobs.report(folder)
    console.out.print(
        f"{results['task']} {results['network']} {results['unit']}: {tested(results)}, "
        f"epoch {results['best_epoch']} chosen on validation"
    )
    if "stages" in results:
        _show_stages(results)
    console.out.print(f"run: {folder}\nreport: {page}")


def tested(results: dict[str, Any]) -> str:
    """What the test split has shown, in one line."""
    metric, per_sequence = results["metric"], results["software_metric_per_sequence"]
    unit = "" if metric["unit"] == "1" else f" {metric['unit']}"
    found = f"{results['software_metric']:.4f}{unit} ({per_sequence:.4f} per sequence)"
    words = perplexity(results["software_metric"], metric["unit"])
    shown = "" if words is None else f", perplexity {words:.2f}"
    return f"test {metric['name']} {found}{shown}"


def _show_stages(results: dict[str, Any]) -> None:
    """Print the metric on chips: a row for each stage and compensation, a column for each time."""
    cells = results["stages"]
    times_s = list(dict.fromkeys(cell["t_s"] for cell in cells))
    names = ["right after" if t_s == 0.0 else format_duration(t_s) for t_s in times_s]
    chips = len(results["chips"])
    table = Table("stage", "compensation", *names, title=console.metric_title(results, chips))
    for stage, kind in dict.fromkeys((cell["stage"], cell["compensation"]) for cell in cells):
        row = [c for c in cells if (c["stage"], c["compensation"]) == (stage, kind)]
        table.add_row(stage.replace("_", " "), kind, *map(cell_text, row))
    console.out.print(table)
    console.out.print(f"{results['devices']:,} devices of {results['device_set']} per chip")
