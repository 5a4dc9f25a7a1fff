"""The sections on laws of the conductance: programming spread, drift exponent, read noise."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from pcmsim.calibration.calibrate import burst_powers
from pcmsim.calibration.choice import Choice
from pcmsim.calibration.drift_low import placed
from pcmsim.calibration.entries import Fits
from pcmsim.calibration.law_fits import LawFit
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.noise import noise_amplitude
from pcmsim.devices.params import ParameterSet, Values
from pcmsim.devices.programming import placement_std
from pcmsim.jobs.calibration_bands import law_stderr
from pcmsim.jobs.calibration_panels import (
    BAND,
    RESIDUAL,
    choice_table,
    fitted,
    no_deviation,
    qq_panel,
    verdict,
)
from pcmsim.report.calibration_records import Axis, Figure, Panel, Section, Series

Curve = Callable[[Values, FloatArray], FloatArray]
_PLACES = 121
_CONDUCTANCE = "conductance G [µS]"
_LABELS = {
    "programming_std": "programming spread σ [µS]",
    "nu_mean": "mean of ν",
    "nu_std": "standard deviation of ν",
    "read_noise": "noise amplitude Q",
}
_CURVES: dict[str, Curve] = {
    "programming_std": placement_std,
    "nu_mean": lambda values, g: values.projection * values.nu_mean(g / values.g_max),
    "nu_std": lambda values, g: values.projection * values.nu_std(g / values.g_max),
    "read_noise": noise_amplitude,
}
_CAPTION = (
    f"Points are the estimates of the levels, the line the law that was kept, dashes the law of "
    f"the base set. {BAND}"
)


def law_sections(fits: Fits, base: ParameterSet) -> list[Section]:
    """A section for each effect that was fitted as a law."""
    sections = []
    if "programming_std" in fits.laws:
        text = "Spread of the conductance at t0 around its target, read noise taken out."
        sections.append(_chosen("Programming spread", text, fits, base, ("programming_std",)))
    entries = tuple(name for name in ("nu_mean", "nu_std") if name in fits.laws)
    text = "Mean and spread of the exponent ν over the devices, against the programmed conductance."
    sections.append(_chosen("Drift exponent", text, fits, base, entries))
    return [*sections, _noise_section(fits, base)]


def law_figure(
    fit: LawFit,
    g_max: float,
    base: ParameterSet,
    scale: Literal["linear", "log"] = "linear",
    bursts: int = 0,
    expected: FloatArray | None = None,
) -> Figure:
    """Law, residuals and Q-Q plot.

    The last `bursts` of the points are of repeated reads; `expected` is what the points should be
    if that is not the law at their conductances.
    """
    law = fit.law(fit.g) if expected is None else expected
    residuals = (fit.found - law) / fit.stderr
    axis = Axis(_CONDUCTANCE, "zero" if scale == "log" and np.any(fit.g <= 0.0) else scale)
    groups = _groups(fit, g_max, bursts)
    points = [Series(name, "data", x, fit.found[at], fit.stderr[at]) for name, x, at in groups]
    lines = _lines(fit, g_max, base, axis.scale)
    if expected is not None:
        order = np.argsort(fit.g)
        x = g_max * fit.g[order]
        lines += (Series("fit, averaged over a level", "other", x, expected[order]),)
    off = [Series(name, "data", x, residuals[at]) for name, x, at in groups]
    y = Axis(_LABELS[fit.entry], "log" if fit.entry == "read_noise" else "linear")
    panels = (
        Panel("law", axis, y, (*points, *lines)),
        Panel("residuals", axis, RESIDUAL, (*off, no_deviation(fit.g * g_max))),
        qq_panel("Q-Q of the residuals", residuals, "both" if bursts else "data"),
    )
    return Figure(f"{fit.entry}, {fit.form}", _CAPTION, panels)


def law_text(fit: LawFit) -> str:
    """What was kept and how well it goes through the levels."""
    r = fit.regression
    if fit.form == "table":
        return f"{fit.entry}: straight lines through the levels, which leave nothing to test."
    return f"{fit.entry}: {fit.form}, {verdict(r.chi_square, r.freedom, r.p_value)}."


def _chosen(
    title: str, text: str, fits: Fits, base: ParameterSet, entries: tuple[str, ...]
) -> Section:
    choices: list[Choice] = [fits.laws[entry] for entry in entries]
    scale: Literal["linear", "log"] = "linear" if title == "Programming spread" else "log"
    figures = tuple(law_figure(c.kept, fits.g_max, base, scale) for c in choices)
    text = "\n".join([text, *(law_text(c.kept) for c in choices)])
    return Section(title, text, figures, (choice_table(choices),))


def _noise_section(fits: Fits, base: ParameterSet) -> Section:
    expected = averaged_amplitude(fits)
    bursts = expected.size - len(fits.drift.levels)
    figure = law_figure(fits.noise_law, fits.g_max, base, "log", bursts, expected)
    text = (
        f"Amplitude Q of the noise spectrum Q² G² / f^γ, from the noise powers of the levels"
        f"{', and of repeated reads' if bursts else ''}. A point stands for √(E[Q² G²] / E[G²]) of "
        f"its level, to which the devices of high conductance add most; where devices of a level "
        f"differ widely, the law averaged in the same way lies below the law itself.\n"
        f"{law_text(fits.noise_law)}"
    )
    return Section("Read noise", text, (figure,))


def averaged_amplitude(fits: Fits) -> FloatArray:
    """√(E[Q² G²] / E[G²]) of the law over the devices of each point of the noise law."""
    bursts = burst_powers(fits.noise, fits.drift) if fits.noise is not None else []
    levels = [*fits.drift.levels, *(fits.drift.levels[burst.level] for burst in bursts)]
    found = []
    for level in levels:
        location, spread = level.estimate["g_location"], level.estimate["g_spread"]
        g, weights = placed(location, spread, level.g_target == 0.0)
        q = fits.noise_law.law(np.maximum(g / fits.g_max, 1e-7))
        found.append(np.sqrt(np.sum(weights * (q * g) ** 2) / np.sum(weights * g**2)))
    return np.array(found)


def _groups(fit: LawFit, g_max: float, bursts: int) -> list[tuple[str, FloatArray, slice]]:
    """Names, conductances [µS] and places of the points, levels apart from repeated reads."""
    split = fit.g.size - bursts
    if not bursts:
        return [("data", g_max * fit.g, slice(0, split))]
    parts = [("drift traces", slice(0, split)), ("repeated reads", slice(split, fit.g.size))]
    return [(name, g_max * fit.g[at], at) for name, at in parts]


def _lines(fit: LawFit, g_max: float, base: ParameterSet, scale: str) -> tuple[Series, ...]:
    above = fit.g[fit.g > 0.0]
    g = np.linspace(above.min(), fit.g.max(), _PLACES)
    if scale != "linear":
        g = np.geomspace(above.min(), fit.g.max(), _PLACES)
    if scale == "zero":
        g = np.append([0.0, 0.5 * above.min()], g)
    kept = fitted("fit", g_max * g, fit.law(g), law_stderr(fit, g))
    within = g_max * g[g_max * g <= base.values.g_max * (1.0 + 1e-9)]
    other = _CURVES[fit.entry](base.values, within)
    return kept, Series(base.name, "other", within, other)
