"""`pcmsim calibrate`."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from pcmsim import jobs
from pcmsim.calibration.calibrate import Calibration
from pcmsim.cli import console
from pcmsim.cli.values import text
from pcmsim.devices import load_parameter_set


def calibrate(
    files: Annotated[list[Path], typer.Argument(help="Measurement files.")],
    name: Annotated[str, typer.Option(help="Name of the new parameter set.")],
    out: Annotated[Path, typer.Option(help="Parameter set to write, .yaml.")],
    columns: Annotated[
        Path | None, typer.Option(help="Column map of tables; TABLE.yaml beside each.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Set to keep what was not measured from; pcm-gst-90nm or ideal."),
    ] = None,
    law: Annotated[
        str | None,
        typer.Option(help="drift (a power of time) or relaxation (resistive RAM); the files say."),
    ] = None,
    g_max: Annotated[
        float | None, typer.Option(help="Largest conductance in uS; the largest target.")
    ] = None,
    t0: Annotated[
        float | None, typer.Option(help="Age at which G is defined, in s; the first read.")
    ] = None,
    read_time: Annotated[
        float | None, typer.Option(help="Integration time of later reads in s; the campaign's.")
    ] = None,
    exponent: Annotated[
        float | None, typer.Option(help="Exponent of the noise; found by repeated reads.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for a page about all fits, also of a refused set.")
    ] = None,
) -> None:
    """Fit a parameter set to measurements, with standard errors, and check it against them."""
    order = jobs.Order(
        files=tuple(files),
        name=name,
        date=date.today().isoformat(),
        columns=columns,
        base=base,
        g_max=g_max,
        t0_s=t0,
        t_read_s=read_time,
        exponent=exponent,
        law=law,
    )
    calibration, _ = jobs.calibrate_files(order, out, report)
    _show(calibration, jobs.base_name(order, calibration))
    if report is not None:
        console.out.print(f"\n{report / 'report.html'}: every fit with its data")
    console.out.print(f"\n{out}: use it with --device {out}")


def _show(calibration: Calibration, base: str) -> None:
    other = load_parameter_set(base)
    table = Table("entry", "fitted", "± s.e.", base, title=calibration.parameter_set.name)
    for entry, found in calibration.parameter_set.entries.items():
        if found.stderr is not None:
            kept = other.entries.get(entry)
            cells = (text(found.value), text(found.stderr), text(kept.value if kept else ""))
            table.add_row(entry, *cells)
    console.out.print(table)
    for line in _tests(calibration):
        console.out.print(line)
    for exclusion in calibration.exclusions:
        console.out.print(
            f"left out of {exclusion.dataset}: {exclusion.count:,} {exclusion.what}: "
            f"{exclusion.reason}"
        )
    for lost in calibration.unidentified:
        console.out.print(f"not identified: {lost.entry} ({lost.why}); kept {lost.kept:.60}")


def _tests(calibration: Calibration) -> Iterator[str]:
    """How many tests on left-out data reject the set at 1 %, and what was not tested."""
    made, relaxed = calibration.validation, calibration.relaxation_check
    groups: dict[str, Sequence[Any]] = {}
    if made is not None:
        groups |= {
            "held-out devices, levels and times": made.distributions,
            "left-out times of held-out devices, levels": made.left_out,
            "products of held-out devices, times": made.array,
        }
    if relaxed is not None:
        groups |= {
            "held-out devices, targets and times": relaxed.levels,
            "held-out devices, groups of targets and times": relaxed.groups,
            "left-out times, groups of targets": relaxed.left_out,
        }
    for name, tests in groups.items():
        rejected = sum(test.p_value < 0.01 for test in tests)
        yield f"{name}: {rejected} of {len(tests)} rejected at 1 %" if tests else f"{name}: no test"
    for line in made.skipped if made is not None else ():
        yield f"not examined: {line}"
