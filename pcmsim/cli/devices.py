"""`pcmsim devices`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from pcmsim import jobs
from pcmsim.cli import console
from pcmsim.cli.values import text
from pcmsim.config import override
from pcmsim.devices import ParameterSet, load_parameter_set, parameter_set_names
from pcmsim.errors import UsageError
from pcmsim.units import format_duration


def devices(
    name: Annotated[
        str | None, typer.Argument(help="A parameter set, or a YAML file of one.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(metavar="N", help="Draw N healthy devices for each target.")
    ] = None,
    targets: Annotated[str, typer.Option(help="Targets in uS, with commas.")] = "5,10,20",
    times: Annotated[
        str, typer.Option(help="Times after programming in s, with commas.")
    ] = "1,3600,345600",
    read_noise: Annotated[
        bool, typer.Option(help="Add a marginal draw of read noise to each read.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    beside: Annotated[
        str | None,
        typer.Option(help="A set to show beside it; of a calibrated set, what it was based on."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the sample as JSON.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one entry of the set; repeatable."),
    ] = None,
) -> None:
    """List the parameter sets, show one with its sources and curves, or sample devices of one."""
    if sample is None and as_json:
        raise UsageError("--json prints a sample; add --sample N")
    if beside is not None and (name is None or sample is not None):
        raise UsageError("--beside compares two sets: pcmsim devices NAME --beside OTHER")
    if name is None:
        if sample is not None or settings:
            raise UsageError("--sample and --set need a parameter set: pcmsim devices NAME ...")
        _list()
        return
    chosen = load_parameter_set(name)
    if settings:
        chosen = chosen.with_values(**override({}, tuple(settings)))
    if sample is None:
        _show(chosen, _other(chosen, beside))
        return
    found = jobs.sample(
        chosen,
        _numbers(targets, "targets"),
        _numbers(times, "times"),
        sample,
        read_noise=read_noise,
        seed=seed,
    )
    if as_json:
        rows = [{"g_target": s.g_target, "t_s": s.t_s, **asdict(s.g)} for s in found]
        console.out.print_json(json.dumps(rows))
    else:
        _show_sample(found, chosen, read_noise)


def _list() -> None:
    table = Table("name", "device", "g_max [uS]")
    for name in parameter_set_names():
        shown = load_parameter_set(name)
        table.add_row(name, shown.title, f"{shown.values.g_max:g}")
    console.out.print(table)


def _other(parameter_set: ParameterSet, beside: str | None) -> ParameterSet | None:
    """The set to compare with: as named, or the one that a calibration kept entries from."""
    if beside is None:
        beside = jobs.base_of(parameter_set)
    return None if beside is None else load_parameter_set(beside)


def _show(parameter_set: ParameterSet, other: ParameterSet | None) -> None:
    console.out.print(f"{parameter_set.name}: {parameter_set.title}\n{parameter_set.source}\n")
    console.out.print(_entries(parameter_set) if other is None else _beside(parameter_set, other))
    curves = Table(*jobs.CURVE_COLUMNS, title="curves against the target conductance")
    for row in jobs.curves(parameter_set):
        curves.add_row(*[f"{value:.4g}" for value in row])
    console.out.print(curves)
    for line in jobs.sparklines(parameter_set):
        console.out.print(line)


def _entries(parameter_set: ParameterSet) -> Table:
    entries = Table("entry", "value", "unit", "source")
    for name, entry in parameter_set.entries.items():
        entries.add_row(name, str(entry.value), entry.unit, entry.source)
    return entries


def _beside(parameter_set: ParameterSet, other: ParameterSet) -> Table:
    """Every entry of either set, with standard errors of the first."""
    headings = ("entry", "value", "± s.e.", other.name, "unit", "source")
    # In a narrow terminal the heading of a column is cut; the title is not.
    entries = Table(*headings, title=f"beside {other.name}")
    ours, theirs = parameter_set.entries, other.entries
    for name in dict.fromkeys((*ours, *theirs)):
        entry = ours.get(name)
        found = theirs[name] if entry is None else entry
        cells = ("", "") if entry is None else (text(entry.value), text(entry.stderr))
        kept = text(theirs[name].value) if name in theirs else ""
        # The source of the whole set stands above the table.
        source = found.source.removesuffix(f"; {parameter_set.source}")
        entries.add_row(name, *cells, kept, found.unit, source)
    return entries


def _show_sample(found: list[jobs.Sample], parameter_set: ParameterSet, read_noise: bool) -> None:
    noise = "with one read's noise" if read_noise else "without read noise"
    table = Table(
        *("target [uS]", "time", "mean [uS]", "± s.e.", "std [uS]", "± s.e."),
        title=f"{found[0].g.n:,} healthy devices of {parameter_set.name} per target, {noise}",
    )
    for s in found:
        figures = (s.g.mean, s.g.mean_stderr, s.g.std, s.g.std_stderr)
        table.add_row(f"{s.g_target:g}", format_duration(s.t_s), *[f"{x:.4f}" for x in figures])
    console.out.print(table)


def _numbers(given: str, option: str) -> list[float]:
    try:
        numbers = [float(part) for part in given.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers:
        raise UsageError(f"--{option} = {given!r}: write numbers with commas, such as 1,3600")
    return numbers
