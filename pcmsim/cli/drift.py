"""`pcmsim drift`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from pcmsim import jobs
from pcmsim.cli import console
from pcmsim.units import LANDMARKS_S, format_duration, perplexity


def drift(
    run: Annotated[Path, typer.Argument(help="Folder of a finished training run.")],
    days: Annotated[float, typer.Option(help="How long to watch, in days.")] = 4.0,
    chips: Annotated[int, typer.Option(help="How many independently drawn chips.")] = 8,
    compensation: Annotated[
        list[str] | None,
        typer.Option(help="none, global or column; repeatable. none and global unless given."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Results folder; RUN/drift unless given.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Parameter set: a name of `pcmsim devices`, or a YAML file.")
    ] = None,
    temperature: Annotated[
        str | None,
        typer.Option(help="Degrees Celsius, or a CSV file t_s,temperature_c; that of the set."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the chips; that of the run.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="File or folder of the data set, if it is in files; else PCMSIM_DATA."),
    ] = None,
    streaming: Annotated[
        bool, typer.Option("--streaming", help="Stream the split, step by step, from each time on.")
    ] = False,
    step_s: Annotated[
        float | None,
        typer.Option(help="With --streaming: a step takes at least this long, in s."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change hardware.KEY; repeatable."),
    ] = None,
) -> None:
    """Write a trained network onto simulated chips and measure it at log-spaced times from 1 s."""
    hardware = jobs.hardware_of(run, device, tuple(settings or ()))
    with console.progress() as display:
        results = jobs.drift(
            run,
            out,
            days=days,
            chips=chips,
            compensations=tuple(compensation or ("none", "global")),
            hardware=hardware,
            temperature=None if temperature is None else jobs.temperature_of(temperature),
            seed=seed,
            data_path=data,
            on_chip=console.Bar(display, "chips x times"),
            streaming=streaming,
            step_s=step_s,
        )
    show(results)
    page = jobs.report(run)
    console.out.print(f"results: {(out or run / 'drift') / 'results.json'}\nreport: {page}")


def show(results: dict[str, Any]) -> None:
    """Print the metric at the usual times, one row per time and one column per compensation."""
    kinds = list(dict.fromkeys(cell["compensation"] for cell in results["drift"]))
    last_s = max(cell["t_s"] for cell in results["drift"])
    streamed = ", streamed" if results["inference"] == "streaming" else ""
    title = console.metric_title(results, results["chips"]) + streamed
    table = Table("time", *kinds, title=title)
    for name, key in (("software", "software_metric"), ("ideal devices", "ideal_metric")):
        table.add_row(name, *[f"{results[key]:.4f}"] * len(kinds))
    for t_s in dict.fromkeys((*LANDMARKS_S, last_s)):
        cells = [c for c in results["drift"] if c["t_s"] == t_s]
        if cells:
            table.add_row(format_duration(t_s), *map(cell_text, cells))
    console.out.print(table)
    if results["metric"]["unit"] == "nat/word":
        console.out.print(_perplexities(results, last_s))
    console.out.print(f"{results['devices']:,} devices of {results['device_set']} per chip")


def _perplexities(results: dict[str, Any], last_s: float) -> str:
    """Perplexities in software and at the end; those of chips are of their mean likelihood."""
    last = {c["compensation"]: c["mean"] for c in results["drift"] if c["t_s"] == last_s}
    shown = {
        name: perplexity(value, "nat/word")
        for name, value in {"software": results["software_metric"], **last}.items()
    }
    told = ", ".join(f"{name} {value:.2f}" for name, value in shown.items())
    return f"perplexity, on chips after {format_duration(last_s)}: {told}"


def cell_text(cell: dict[str, Any]) -> str:
    """Mean and, of more than one chip, standard deviation."""
    spread = "" if cell["std"] is None else f" ± {cell['std']:.4f}"
    return f"{cell['mean']:.4f}{spread}"
