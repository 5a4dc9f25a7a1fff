"""`pcmsim study`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from pcmsim import jobs
from pcmsim.cli import console
from pcmsim.config import load_study
from pcmsim.errors import PcmsimError
from pcmsim.units import format_duration

_MOST_ROWS = 40


def study(
    config: Annotated[Path, typer.Argument(help="Study (YAML), e.g. configs/study-chorales.yaml.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the study; runs/NAME unless given.")
    ] = None,
    scheduler: Annotated[
        str,
        typer.Option(
            help="local: processes of this machine; here: this process alone; or the address of a "
            "running Dask scheduler, such as tcp://host:8786."
        ),
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Local processes; one for each core unless given.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a study that stopped, or add chips.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="File or folder of the data set, if it is in files; else PCMSIM_DATA."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value, e.g. chips=8."),
    ] = None,
) -> None:
    """Measure mitigations, temperatures, device sets and networks on many chips over many days."""
    loaded = load_study(config, tuple(settings or ()))
    folder = out or Path("runs") / config.stem
    with console.progress() as display:
        training, cells = console.Bar(display, "training"), console.Bar(display, "chips x lives")

        def on_training(name: str, done: int, total: int) -> None:
            training(done, total, name)

        def on_done(done: int, total: int, failed: int) -> None:
            cells(done, total, f"{failed} failed" if failed else "")

        results = jobs.study(
            loaded,
            folder,
            where=jobs.Where(scheduler, workers),
            resume=resume,
            data_path=data,
            on_training=on_training,
            on_done=on_done,
        )
    show(results)
    page = jobs.report(folder)
    console.out.print(f"tables: {folder / 'results.parquet'}\nreport: {page}")
    if results["failures"]:
        raise PcmsimError(_failed(results["failures"]))


def show(results: dict[str, Any]) -> None:
    """Print the metric of each cell at the last time, with its interval over chips."""
    last = format_duration(results["times_s"][-1])
    table = Table(
        "network", "devices", "temperature", "refresh", "compensation", f"metric at {last}"
    )
    table.add_column("chips for ± 0.01")
    cells = results["cells"]
    for cell in cells[:_MOST_ROWS]:
        names = (cell[k] for k in ("network", "devices", "temperature", "refresh", "compensation"))
        table.add_row(*names, _interval(cell), str(cell["chips_needed"] or ""))
    console.out.print(table)
    if len(cells) > _MOST_ROWS:
        console.out.print(f"... and {len(cells) - _MOST_ROWS} more in results.csv")
    console.out.print(
        f"mean ± half-width of the 95 % interval over {results['chips']} chips "
        f"[{results['metric']['name']}, {results['metric']['unit']}]"
    )


def _interval(cell: dict[str, Any]) -> str:
    mean, half_width = cell["mean"][-1], cell["half_width"][-1]
    if mean is None:
        return "not measured"
    return f"{mean:.4f}" if half_width is None else f"{mean:.4f} ± {half_width:.4f}"


def _failed(failures: list[dict[str, Any]]) -> str:
    first = failures[0]
    where = "/".join(str(first[k]) for k in ("network", "devices", "temperature", "refresh"))
    return (
        f"{len(failures)} lives of chips could not be measured, all are listed in results.json; "
        f"the first, {where} on chip {first['chip']}: {first['reason']}; --resume tries them again"
    )
