"""The section on drift traces: mean and spread of every level as its devices age."""

import numpy as np

from pcmsim.calibration.calibrate import Calibration
from pcmsim.calibration.drift import DriftFit, LevelFit
from pcmsim.calibration.reproduction import LevelCheck
from pcmsim.devices.laws import FloatArray
from pcmsim.jobs.calibration_bands import Moments, moments
from pcmsim.jobs.calibration_panels import BAND, mean_panel, qq_panel, std_panel
from pcmsim.report.calibration_records import (
    Axis,
    Cell,
    Figure,
    Map,
    Measured,
    Section,
    Series,
    Table,
)
from pcmsim.report.calibration_text import chi_square, p_value
from pcmsim.units import format_duration

TIME = Axis("time since the last pulse", "time")
_SURE = 5.0  # standard errors at which the colours of a map saturate


def level_name(g_target: float) -> str:
    """A level as a reader would name it.

    >>> level_name(0.0), level_name(2.2)
    ('RESET', '2.2 µS')
    """
    return f"{g_target:g} µS" if g_target else "RESET"


def level_moments(fit: DriftFit) -> list[Moments]:
    """Moments of each level beside its own fit."""
    return [moments(x.sums, x.solution.point, x.estimate) for x in fit.levels]


def level_section(calibration: Calibration, fit: DriftFit) -> Section:
    """Mean, spread, residuals and estimates of each level of the drift traces."""
    found = level_moments(fit)
    name = calibration.parameter_set.name
    figures = (
        _mean_figure(fit, found, calibration.checks, name),
        _std_figure(fit, found, calibration.checks, name),
        _residual_map(calibration.checks, name),
        _spread_map(calibration.checks, name),
        _qq_figure(fit, found),
    )
    text = (
        f"Devices of {len(fit.levels)} levels were read {fit.t_s.size} times from "
        f"{format_duration(fit.t_s[0])} to {format_duration(fit.t_s[-1])} after their last pulse. "
        f"Each level is fitted by itself to the mean and the covariance of its reads; the laws "
        f"of the set then go through the levels."
    )
    return Section("Drift of the levels", text, figures, (_table(fit, found),))


def _mean_figure(
    fit: DriftFit, found: list[Moments], checks: tuple[LevelCheck, ...], name: str
) -> Figure:
    caption = (
        f"Points are means over the devices, lines the fit of each level, dashes what the set "
        f"gives for the target. {BAND}"
    )
    panels = tuple(
        mean_panel(
            level_name(level.g_target),
            TIME,
            fit.t_s,
            one,
            Series(f"set {name}", "other", check.t_s, check.predicted_mean),
        )
        for level, one, check in zip(fit.levels, found, checks, strict=True)
    )
    return Figure("Mean conductance against time", caption, panels)


def _std_figure(
    fit: DriftFit, found: list[Moments], checks: tuple[LevelCheck, ...], name: str
) -> Figure:
    caption = (
        f"Standard deviation over the devices: programming, spread of the exponent and read noise "
        f"together. {BAND} Those of the points are s/√n, 1.4 times what Gaussian reads "
        f"would have."
    )
    panels = tuple(
        std_panel(
            level_name(level.g_target),
            TIME,
            fit.t_s,
            one,
            Series(f"set {name}", "other", check.t_s, check.predicted_std),
        )
        for level, one, check in zip(fit.levels, found, checks, strict=True)
    )
    return Figure("Spread against time", caption, panels, folded=True)


def _residual_map(checks: tuple[LevelCheck, ...], name: str) -> Map:
    values = np.array([(c.mean - c.predicted_mean) / c.mean_stderr for c in checks])
    caption = (
        f"(found − set {name}) / standard error, level by time. Times of one level share devices, "
        f"so neighbours deviate together."
    )
    return _map("Residuals of the mean", caption, checks, values)


def _spread_map(checks: tuple[LevelCheck, ...], name: str) -> Map:
    values = np.array([(c.std - c.predicted_std) / c.std_stderr for c in checks])
    caption = f"(found − set {name}) / standard error, level by time."
    return _map("Residuals of the spread", caption, checks, values, folded=True)


def _map(
    title: str,
    caption: str,
    checks: tuple[LevelCheck, ...],
    values: FloatArray,
    folded: bool = False,
) -> Map:
    rows = tuple(level_name(check.g_target) for check in checks)
    columns = tuple(format_duration(t_s) for t_s in checks[0].t_s)
    return Map(title, caption, rows, columns, values, _SURE, folded=folded)


def _qq_figure(fit: DriftFit, found: list[Moments]) -> Figure:
    caption = (
        "Deviations of the means from the fits of the levels, made independent and of unit "
        "variance, against the normal distribution."
    )
    panels = tuple(
        qq_panel(level_name(level.g_target), one.whitened)
        for level, one in zip(fit.levels, found, strict=True)
    )
    return Figure("Q-Q of the residuals of each level", caption, panels, True, True)


def _table(fit: DriftFit, found: list[Moments]) -> Table:
    caption = (
        "Estimates of the levels with standard errors. G is the conductance at t0: mean and "
        "spread, after RESET the median and the spread of ln G; w is E[Q² G²], the noise power. "
        "χ² tests the means against the fit."
    )
    head = ("level", "devices", "G [µS]", "spread [µS]", "w [µS²]", "mean of ν", "std of ν")
    rows = [_row(level, one) for level, one in zip(fit.levels, found, strict=True)]
    return Table(caption, (*head, "χ² / freedom", "p"), tuple(rows))


def _row(level: LevelFit, found: Moments) -> tuple[Cell, ...]:
    e = level.estimate
    return (
        level_name(level.g_target),
        e.n,
        Measured(e["g_location"], e.stderr("g_location")),
        root(e["g_spread"], e.stderr("g_spread")),
        Measured(e["noise_power"], e.stderr("noise_power")),
        Measured(e["nu_mean"], e.stderr("nu_mean")),
        root(e["nu_variance"], e.stderr("nu_variance")),
        f"{chi_square(found.chi_square)} / {found.freedom:.1f}",
        p_value(found.p_value),
    )


def root(variance: float, stderr: float) -> Measured:
    """Standard deviation from a variance; unknown if that is not above zero.

    >>> root(0.04, 0.004)
    Measured(value=0.2, stderr=0.01)
    """
    if variance <= 0.0:
        return Measured(float("nan"), float("nan"))
    std = float(np.sqrt(variance))
    return Measured(std, stderr / (2.0 * std))
