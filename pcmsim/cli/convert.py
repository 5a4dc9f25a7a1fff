"""`pcmsim convert`."""

from pathlib import Path
from typing import Annotated

import typer

from pcmsim import jobs
from pcmsim.cli import console
from pcmsim.cli.train import tested
from pcmsim.config import load_config
from pcmsim.errors import UsageError
from pcmsim.networks import shape_text


def convert(
    source: Annotated[Path, typer.Argument(help="Folder of a trained network, or a NIR file.")],
    target: Annotated[
        Path, typer.Argument(help="NIR file, or folder for the network; must not exist yet.")
    ],
    dt_s: Annotated[
        float | None,
        typer.Option(
            "--dt",
            metavar="SECONDS",
            help="Time step of the graph; 1e-4 unless given, or what the file says.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="Configuration with the data (and devices) of a NIR file's network, which becomes "
            "a run folder then, for pcmsim drift, study and report.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="With --config: file or folder of the data set; else PCMSIM_DATA."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="With --config: change one value; repeatable."
        ),
    ] = None,
) -> None:
    """Write a network of spiking units as a NIR graph for other frameworks, or read one."""
    if config is None and (settings or data is not None):
        raise UsageError("--set and --data change or serve a configuration; name one with --config")
    loaded = None if config is None else load_config(config, tuple(settings or ()))
    done = jobs.convert(source, target, dt_s, loaded, data)
    spec = done.network.spec
    recurrent = ", recurrent" if spec.recurrent else ""
    decay = "trained decays" if spec.trained_decay else f"decay {spec.decay:g}"
    console.out.print(f"network {shape_text(spec)}{recurrent}, {decay}")
    if done.results is not None:
        console.out.print(tested(done.results))
    console.out.print(f"written: {done.path}")
