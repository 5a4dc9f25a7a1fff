"""Sections about devices that relax instead of drifting: the law, its memory, and its tests."""

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from pcmsim.calibration.calibrate import Calibration
from pcmsim.calibration.distributions import Distribution
from pcmsim.calibration.placement import Placement
from pcmsim.calibration.relaxation import RelaxationFit
from pcmsim.calibration.relaxation_check import RelaxationCheck
from pcmsim.calibration.relaxation_memory import Memory
from pcmsim.calibration.reproduction import LevelCheck
from pcmsim.jobs.calibration_validation import validation_records
from pcmsim.report.calibration_records import (
    Axis,
    Cell,
    Figure,
    Map,
    Measured,
    Panel,
    Section,
    Series,
    Table,
)
from pcmsim.report.calibration_text import p_value
from pcmsim.units import format_duration

_TIME = Axis("time since the first read", "time")
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def relaxation_sections(calibration: Calibration, fit: RelaxationFit) -> list[Section]:
    """What was fitted: change of the conductance, how long it is remembered, and placement."""
    figures = (_quantile_figure(fit), _moment_figure(calibration.checks))
    text = (
        f"The change of the conductance since the first read is a Johnson S_U variable whose "
        f"shape depends on conductance and time ({fit.form.name}); {fit.estimate.message}. Reads "
        f"carry their own noise, which is part of it."
    )
    tables = (_coefficient_table(fit), _form_table(fit))
    sections = [Section("Relaxation", text, figures, tables)]
    if fit.memory is not None:
        sections.append(_memory_section(fit.memory))
    if calibration.placement is not None and calibration.placement.g_target.size:
        sections.append(_placement_section(calibration.placement, fit.g_max))
    return sections


def relaxation_tests(check: RelaxationCheck) -> list[Section]:
    """Held-out devices, and times that were left out of the fit."""
    sections = validation_records(check.groups, (), (), ())
    tables = (
        _rejections("Targets, one by one.", check.levels),
        _rejections("Groups of targets.", check.groups),
        _rejections("Groups of targets at a time that was left out of the fit.", check.left_out),
    )
    text = (
        "How many distributions of reads that were not fitted a Kolmogorov-Smirnov test rejects at "
        "1 %, and the worst of them. The third row has more devices and is the sharpest; it "
        "fails where a time lies far from all others."
    )
    figures = (_left_out_map(check.left_out),) if check.left_out else ()
    return [*sections, Section("Rejections", text, figures, tables)]


def _quantile_figure(fit: RelaxationFit) -> Figure:
    """Quantiles of the change against time at a low, a middle and a high conductance."""
    traces, panels = fit.traces, []
    edges = np.quantile(traces.g_first, [0.0, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0])
    for low, high in itertools.pairwise(edges):
        members = (traces.g_first >= low) & (traces.g_first <= high)
        first = traces.g_first[members]
        found = np.nanquantile(traces.g[members] - first[:, None], _QUANTILES, axis=0)
        dense = np.geomspace(traces.t_s[0], traces.t_s[-1], 60)
        z = norm.ppf((np.arange(200) + 0.5) / 200.0)
        start = np.quantile(first, (np.arange(40) + 0.5) / 40.0)[:, None]
        drawn = np.array([fit.law.relaxed(start, fit.g_max, t, z) - start for t in dense])
        shown = np.quantile(drawn.reshape(dense.size, -1), _QUANTILES, axis=1)
        series = [
            Series("law: 5 to 95 %", "fit", dense, shown[2], low=shown[0], high=shown[4]),
            Series("law: 25 to 75 %", "fit", dense, shown[2], low=shown[1], high=shown[3]),
        ]
        series += [Series("data", "data", traces.t_s, found[k]) for k in range(len(_QUANTILES))]
        title = f"G0 = {low:.3g} … {high:.3g} µS"
        panels.append(Panel(title, _TIME, Axis("change [µS]"), tuple(series)))
    caption = (
        "Points are the 5, 25, 50, 75 and 95 % quantiles of the measured change; bands and line "
        "those of the law."
    )
    return Figure("Change of the conductance", caption, tuple(panels))


def _moment_figure(checks: Sequence[LevelCheck]) -> Figure:
    panels = []
    for what, unit in (("mean", "mean − target group [µS]"), ("std", "standard deviation [µS]")):
        series = []
        for check in checks:
            shift = check.g_target if what == "mean" else 0.0
            found, other = getattr(check, what) - shift, getattr(check, f"predicted_{what}") - shift
            name = f"{check.g_target:.3g} µS"
            stderr = getattr(check, f"{what}_stderr")
            series.append(Series(name, "data", check.t_s, found, stderr))
            series.append(Series(name, "fit", check.t_s, other))
        title = what if what == "mean" else "spread"
        axis = Axis("time since the first read [s]", "zero")
        panels.append(Panel(title, axis, Axis(unit), tuple(series)))
    caption = (
        "Groups of targets, all converged devices; bars are 1.96 standard errors, lines devices "
        "that the set programs."
    )
    return Figure("Mean and spread", caption, tuple(panels), folded=True)


def _coefficient_table(fit: RelaxationFit) -> Table:
    estimate = fit.estimate
    rows: list[tuple[Cell, ...]] = [
        (name, Measured(estimate[name], estimate.stderr(name))) for name in estimate.names
    ]
    caption = "Coefficients of the law, u = G0/g_max; errors clustered by device."
    return Table(caption, ("coefficient", "value"), tuple(rows), folded=True)


def _form_table(fit: RelaxationFit) -> Table:
    rows = tuple(
        (form, score + 0.0, "kept" if form == fit.form.name else "")
        for form, score in zip(fit.forms, fit.scores, strict=True)
    )
    caption = "Forms: log-likelihood of devices that were not fitted, less that of the best."
    return Table(caption, ("form", "held-out score", ""), rows)


def _memory_section(memory: Memory) -> Section:
    names = tuple(format_duration(t) for t in memory.t_s)
    rows: list[tuple[Cell, ...]] = []
    for i, early in enumerate(names):
        for j in range(i + 1, len(names)):
            found, predicted = float(memory.found[i, j]), float(memory.predicted[i, j])
            rows.append((early, names[j], found, predicted))
    text = (
        "How much a device at a later time still knows of an earlier one: correlation of its "
        "normal deviates. The model is a random walk in logarithmic time."
    )
    table = Table("Correlations.", ("time", "later time", "found", "law"), tuple(rows))
    return Section("Memory", text, (), (table,))


def _placement_section(placement: Placement, g_max: float) -> Section:
    g = np.linspace(0.0, g_max, 101)
    data = Series("data", "data", placement.g_target, placement.std, placement.std_stderr)
    law = Series("law", "fit", g, placement.law(g / g_max))
    spread = Panel("spread", Axis("target [µS]"), Axis("spread [µS]"), (data, law))
    zero = Series("no bias", "guide", np.array([0.0, g_max]), np.zeros(2))
    bias = Panel(
        "bias",
        Axis("target [µS]"),
        Axis("first read − target [µS]"),
        (Series("data", "data", placement.g_target, placement.bias), zero),
    )
    text = "Where converged devices are at the first read. A set has no bias; it stays out of it."
    caption = "Bars are 1.96 standard errors."
    return Section("Placement", text, (Figure("First reads", caption, (spread, bias)),))


def _rejections(caption: str, found: Sequence[Distribution]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for t_s in sorted({x.t_s for x in found}):
        here = [x for x in found if x.t_s == t_s]
        worst = min(here, key=lambda x: x.p_value)
        rejected = sum(x.rejected() for x in here)
        row = (format_duration(t_s), len(here), rejected, worst.label, worst.statistic)
        rows.append((*row, p_value(worst.p_value)))
    head = ("time", "distributions", "rejected", "worst", "D", "p")
    return Table(caption, head, tuple(rows))


def _left_out_map(found: Sequence[Distribution]) -> Map:
    labels = tuple(dict.fromkeys(x.label for x in found))
    times = sorted({x.t_s for x in found})
    values = np.full((len(labels), len(times)), np.nan)
    for x in found:
        values[labels.index(x.label), times.index(x.t_s)] = 100.0 * x.statistic
    caption = "Largest distance of the two distribution functions in per cent."
    columns = tuple(format_duration(t_s) for t_s in times)
    return Map("Times left out of the fit", caption, labels, columns, values, 10.0)
