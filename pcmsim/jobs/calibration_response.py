"""Sections about pulses without drift: response of ramps, programming curves by amplitude."""

from collections.abc import Iterator

from pcmsim.calibration.calibrate import Calibration
from pcmsim.calibration.response import ResponseFit
from pcmsim.calibration.response_check import ResponseCheck
from pcmsim.calibration.response_sweeps import Column, SweepTable
from pcmsim.jobs.calibration_panels import zero
from pcmsim.report.calibration_records import (
    Axis,
    Cell,
    Figure,
    Measured,
    Panel,
    Section,
    Series,
    Table,
)
from pcmsim.report.calibration_text import p_value

_PULSE = Axis("pulse")


def response_sections(calibration: Calibration) -> Iterator[Section]:
    """A section for ramps and one for sweeps, as far as they were measured."""
    if calibration.response is not None:
        yield _ramp_section(calibration.response, calibration.response_check)
    if calibration.sweeps is not None:
        yield _sweep_section(calibration.sweeps)


def _ramp_section(fit: ResponseFit, check: ResponseCheck | None) -> Section:
    table = fit.table
    text = (
        f"Increments rise by {table.mean_all:.4g} µS on average over all pulses and ramps; over "
        f"the ramps they spread by {table.std_pulse:.3g} µS, the noise of reads included. The "
        f"lag-one covariance speaks of a noise of {table.read_std:.3g} µS of one read. Standard "
        f"errors rest on {fit.unit}; {fit.jumps} reads lie beyond the bulk and count less. "
        f"The other errors of prediction spread by {fit.innovation_std:.3g} times what the law "
        f"says."
    )
    figures = [_table_figure(fit)]
    if check is not None:
        figures.append(_check_figure(check))
    return Section("Pulse response", text, tuple(figures), (*_tables(fit), *_tests(check)))


def _table_figure(fit: ResponseFit) -> Figure:
    table = fit.table
    axis = Axis("increment [µS]")
    by_pulse = Series("mean", "data", table.pulse, table.mean, table.mean_stderr)
    spread = Series("spread over ramps", "data", table.pulse, table.std)
    by_g = Series("mean", "data", table.g, table.g_mean, table.g_mean_stderr)
    g_spread = Series("spread over ramps", "data", table.g, table.g_std)
    panels = (
        Panel("against the pulse", _PULSE, axis, (by_pulse, spread, zero(table.pulse))),
        Panel("against G", Axis("G one pulse earlier [µS]"), axis, (by_g, g_spread)),
    )
    return Figure("Increments", "Mean and spread; bars are 1.96 standard errors.", panels)


def _check_figure(check: ResponseCheck) -> Figure:
    found = Series("data", "data", check.pulse, check.g, check.g_stderr)
    law = Series("law", "fit", check.pulse, check.g_predicted)
    spread = Series("data", "data", check.pulse, check.std, check.std_stderr)
    spread_law = Series("law", "fit", check.pulse, check.std_predicted)
    panels = (
        Panel("rise since the first read", _PULSE, Axis("change of G [µS]"), (found, law)),
        Panel("spread of increments", _PULSE, Axis("spread [µS]"), (spread, spread_law)),
    )
    return Figure("Simulated ramps", "Ramps that the law draws, beside those measured.", panels)


def _tables(fit: ResponseFit) -> Iterator[Table]:
    estimate = fit.estimate
    rows = tuple((n, Measured(estimate[n], estimate.stderr(n))) for n in estimate.names)
    yield Table("Coefficients of the law.", ("coefficient", "value"), rows)
    forms: list[tuple[Cell, ...]] = [
        (form, Measured(score, stderr) if stderr else score, "kept" if form == fit.form else "")
        for form, (score, stderr) in fit.scores.items()
    ]
    caption = "Forms: held-out log-likelihood of a read, less that of the form taken."
    yield Table(caption, ("form", "score", ""), tuple(forms))


def _tests(check: ResponseCheck | None) -> Iterator[Table]:
    if check is None:
        return
    rejected = [test for test in check.increments if test.rejected()]
    rows = tuple((x.label, x.n, x.statistic, p_value(x.p_value)) for x in rejected)
    caption = (
        f"Kolmogorov-Smirnov tests of the increments against simulated ones that reject at 1 %: "
        f"{len(rejected)} of {len(check.increments)}."
    )
    yield Table(caption, ("pulses", "increments", "D", "p"), rows)


def _sweep_section(found: SweepTable) -> Section:
    axis = Axis(f"amplitude [{found.unit.replace('uA', 'µA')}]")
    g, log_g = found.g, found.log_g
    curve = Series("mean", "data", found.amplitude, g.mean, g.mean_stderr)
    parts = tuple(
        Series(name, "fit" if kind == "scatter" else "other", found.amplitude, getattr(log_g, kind))
        for name, kind in (("from sweep to sweep", "scatter"), ("slow", "trend"))
    )
    whole = Series("all", "data", found.amplitude, log_g.std)
    slope = Series("slope", "data", found.amplitude, log_g.slope, log_g.slope_stderr)
    panels = (
        Panel("conductance", axis, Axis("G [µS]", "log"), (curve,)),
        Panel("spread of ln G", axis, Axis("standard deviation"), (whole, *parts)),
        Panel(
            "change over sweeps", axis, Axis("ln G per 100 sweeps"), (slope, zero(found.amplitude))
        ),
    )
    text = (
        f"{found.devices:,} devices, {found.sweeps:,} sweeps; standard errors rest on "
        f"{found.blocks} blocks of them, as neighbouring sweeps resemble each other. "
        f"{found.missing:,} reads are missing, {found.not_positive:,} have no logarithm."
    )
    caption = "Bars are 1.96 standard errors; spread from sweep to sweep apart from slow change."
    figure = Figure("Curve and spread", caption, panels)
    return Section("Programming curve", text, (figure,), (_sweep_table(found, log_g),))


def _sweep_table(found: SweepTable, log_g: Column) -> Table:
    rows = tuple(
        (
            float(amplitude),
            int(n),
            Measured(float(log_g.mean[k]), float(log_g.mean_stderr[k])),
            float(log_g.std[k]),
            float(log_g.scatter[k]),
            float(log_g.trend[k]),
        )
        for k, (amplitude, n) in enumerate(zip(found.amplitude, found.n, strict=True))
    )
    head = ("amplitude", "reads", "mean ln G", "std", "sweep to sweep", "slow")
    return Table("ln G at each amplitude.", head, rows, folded=True)
