"""`pcmsim convert`."""

from pathlib import Path
from typing import Annotated

import typer

from pcmsim import jobs
from pcmsim.cli import console
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
) -> None:
    """Write a network of spiking units as a NIR graph for other frameworks, or read one."""
    done = jobs.convert(source, target, dt_s)
    spec = done.network.spec
    recurrent = ", recurrent" if spec.recurrent else ""
    console.out.print(
        f"network {shape_text(spec)}{recurrent}, decay {spec.decay:g}\nwritten: {done.path}"
    )
