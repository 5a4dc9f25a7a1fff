"""`pcmsim measure`."""

from pathlib import Path
from typing import Annotated

import typer

from pcmsim import jobs
from pcmsim.cli import console
from pcmsim.config import load_plan


def measure(
    out: Annotated[Path, typer.Option(help="Measurement file to write, .h5.")],
    device: Annotated[
        str, typer.Option(help="Parameter set of the simulated chip, or a YAML file of one.")
    ] = "pcm-gst-90nm",
    plan: Annotated[
        Path | None, typer.Option(help="What to measure; configs/campaign.yaml is the default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the chip and of its noise.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the plan; repeatable."),
    ] = None,
) -> None:
    """Measure a simulated chip as a lab would: drift, noise, pulses and a yield map."""
    counts = jobs.measure(device, load_plan(plan, tuple(settings or ())), out, seed)
    what = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    console.out.print(f"{out}: {what or 'nothing was measured'}")
