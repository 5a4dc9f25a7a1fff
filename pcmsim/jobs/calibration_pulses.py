"""The sections on pulses: SET staircases, drift after SET, and the programming curve."""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.curve import CurveFit
from pcmsim.calibration.pulse_entries import PulseFits
from pcmsim.calibration.set_drift import SetDriftFit
from pcmsim.calibration.staircase import StaircaseFit
from pcmsim.calibration.structure import StructureFit
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import ParameterSet
from pcmsim.devices.pulse_laws import Accumulation, SetPulse
from pcmsim.jobs.calibration_bands import Moments, delta_stderr, moments
from pcmsim.jobs.calibration_levels import TIME
from pcmsim.jobs.calibration_panels import (
    BAND,
    fitted,
    mean_panel,
    qq_panel,
    residual_figure,
    residual_panel,
    std_panel,
    verdict,
)
from pcmsim.report.calibration_records import (
    Axis,
    Figure,
    Measured,
    Panel,
    Section,
    Series,
    Table,
)

PULSE, CURRENT = Axis("SET pulses since RESET"), Axis("current of the pulse [µA]")
_SHOWN_PULSES = (1, 3, 20)


@dataclass(frozen=True)
class Group:
    """Reads that belong in one panel: its title, and their places in the fitted vector."""

    title: str
    at: FloatArray


def pulse_sections(fits: PulseFits, base: ParameterSet) -> list[Section]:
    """A section for each measurement of pulses that there was."""
    sections = []
    if fits.staircase is not None:
        sections.append(staircase_section(fits.staircase, base))
    if fits.set_drift is not None:
        sections.append(set_drift_section(fits.set_drift))
    if fits.curve is not None:
        sections.append(curve_section(fits.curve))
    return sections


def staircase_section(fit: StaircaseFit, base: ParameterSet) -> Section:
    """Mean and spread after each pulse, and the law of the increments."""
    p = fit.protocol
    found = moments(fit.structure.sums, fit.structure.point, fit.structure.estimate)
    reads = p.read_after_s.size
    places = np.arange(found.mean.size).reshape(p.cycles, p.pulses, reads)
    groups = [
        Group(f"cycle {cycle + 1}, read after {p.read_after_s[read]:g} s", places[cycle, :, read])
        for cycle in range(p.cycles)
        for read in range(reads)
    ]
    pulses = np.arange(1.0, p.pulses + 1.0)
    text = (
        f"{fit.estimate.n:,} devices climbed {p.cycles} times by {p.pulses} SET pulses from RESET. "
        f"All pulses of all cycles are fitted together, clips and device factors included; means: "
        f"{verdict(found.chi_square, found.freedom, found.p_value)}."
    )
    figures = (
        *_moment_figures("a pulse", PULSE, pulses, found, groups),
        _increments(fit, base),
    )
    return Section("SET staircase", text, figures, (_estimates(fit.structure),))


def set_drift_section(fit: SetDriftFit) -> Section:
    """Mean and spread of devices that SET pulses brought up, as they age."""
    found = moments(fit.structure.sums, fit.structure.point, fit.structure.estimate)
    panels = (
        mean_panel("mean", TIME, fit.t_s, found),
        std_panel("spread", TIME, fit.t_s, found),
    )
    text = (
        f"{fit.estimate.n:,} devices, last written by SET pulses from RESET; means: "
        f"{verdict(found.chi_square, found.freedom, found.p_value)}."
    )
    figures = (
        Figure("Conductance against time", BAND, panels),
        residual_figure("Residuals", TIME, fit.t_s, found),
    )
    return Section("Drift after SET", text, figures, (_estimates(fit.structure),))


def curve_section(fit: CurveFit) -> Section:
    """Mean and spread after melting pulses against their current."""
    found = moments(fit.structure.sums, fit.structure.point, fit.structure.estimate)
    k = fit.current_ua.size
    groups = [
        Group(f"sweep {sweep + 1}", np.arange(sweep * k, (sweep + 1) * k))
        for sweep in range(found.mean.size // k)
    ]
    text = (
        f"{fit.estimate.n:,} devices, one melting pulse at each of {k} currents, "
        f"{len(groups)} sweeps; means: {verdict(found.chi_square, found.freedom, found.p_value)}."
    )
    figures = _moment_figures("a melting pulse", CURRENT, fit.current_ua, found, groups)
    return Section("Programming curve", text, figures, (_estimates(fit.structure),))


def _moment_figures(
    after: str, axis: Axis, x: FloatArray, found: Moments, groups: list[Group]
) -> tuple[Figure, ...]:
    """Mean, spread and residuals of the groups."""
    parts = [(group.title, _part(found, group.at)) for group in groups]
    means = tuple(mean_panel(title, axis, x, part) for title, part in parts)
    stds = tuple(std_panel(title, axis, x, part) for title, part in parts)
    left = [residual_panel(title, axis, x, part.residuals) for title, part in parts]
    caption = (
        "Deviations of the mean from the fit in its standard errors, nineteen of twenty of which "
        "should lie on the grey; neighbours share devices. Last, the same made independent, "
        "against the normal distribution."
    )
    qq = qq_panel("Q-Q of the residuals", found.whitened)
    return (
        Figure(f"Mean conductance after {after}", BAND, means, same_y=True),
        Figure(f"Spread after {after}", BAND, stds, same_y=True, folded=True),
        Figure("Residuals", caption, (*left, qq)),
    )


def _part(found: Moments, at: FloatArray) -> Moments:
    """Some of the reads; the test is that of all."""
    return Moments(
        found.mean[at],
        found.mean_stderr[at],
        found.std[at],
        found.std_stderr[at],
        found.fit_mean[at],
        found.fit_mean_stderr[at],
        found.fit_std[at],
        found.fit_std_stderr[at],
        found.whitened[at],
        found.chi_square,
        found.freedom,
        found.p_value,
    )


def _increments(fit: StaircaseFit, base: ParameterSet) -> Figure:
    """Law of the increments against conductance at a few pulses."""
    p, other = fit.protocol, base.values.set_pulse
    g = np.linspace(p.g_min, p.g_max, 61)
    panels = [
        _increment(fit, base.name, other, g, number, spread)
        for spread in (False, True)
        for number in _SHOWN_PULSES
        if number <= p.pulses
    ]
    caption = (
        f"What one SET pulse adds to a conductance, as fitted; dashes are the law of the base set. "
        f"{BAND}"
    )
    return Figure("Law of the increments", caption, tuple(panels))


def _increment(
    fit: StaircaseFit, name: str, other: SetPulse | None, g: FloatArray, number: int, spread: bool
) -> Panel:
    """Mean or spread of the increment by one pulse, with the law of the base set."""
    estimate = fit.estimate.only(fit.estimate.names[:7])

    def law(theta: FloatArray) -> FloatArray:
        return Accumulation(*map(float, theta))(g, np.full(g.shape, number))[int(spread)]

    stderr = delta_stderr(law, estimate.values, estimate.covariance)
    series = [fitted("fit", g, law(estimate.values), stderr)]
    if other is not None:
        series.append(Series(name, "other", g, other(g, np.full(g.shape, number))[int(spread)]))
    what = "standard deviation" if spread else "mean"
    y = Axis(f"{what} of the increment [µS]")
    return Panel(f"pulse {number}, {what}", Axis("conductance G [µS]"), y, tuple(series))


def _estimates(fit: StructureFit) -> Table:
    e = fit.estimate
    rows = tuple((name, Measured(e[name], e.stderr(name))) for name in e)
    caption = f"Estimates from {e.n:,} devices with standard errors; the fit {_ended(e.message)}."
    return Table(caption, ("parameter", "value"), rows)


def _ended(message: str) -> str:
    return message if message.startswith("converged") else f"did not converge: {message}"
