"""Panels that effects have in common: moments with their fit, residuals, and Q-Q plots."""

from collections.abc import Sequence

import numpy as np

from pcmsim.calibration.choice import Choice
from pcmsim.devices.laws import FloatArray
from pcmsim.jobs.calibration_bands import COVERS, Moments, normal_quantiles
from pcmsim.report.calibration_records import Axis, Cell, Figure, Panel, Series, Table
from pcmsim.report.calibration_text import chi_square as square_text
from pcmsim.report.calibration_text import p_value

G, G_STD = "mean G [µS]", "standard deviation of G [µS]"
RESIDUAL = Axis("(data − fit) / s.e.")
BAND = (
    "Bars and bands cover 1.96 standard errors, those of bands by the delta method from the "
    "covariance of the parameters."
)


def fitted(name: str, x: FloatArray, y: FloatArray, stderr: FloatArray) -> Series:
    """A fit with its band."""
    return Series(name, "fit", x, y, low=y - COVERS * stderr, high=y + COVERS * stderr)


def zero(x: FloatArray) -> Series:
    """A thin line at zero, as long as `x`."""
    ends = np.array([np.min(x, initial=0), np.max(x, initial=0)], dtype=np.float64)
    return Series("zero", "guide", ends, np.zeros(2))


def no_deviation(x: FloatArray) -> Series:
    """Zero, and the range that 95 % of deviations in standard errors lie in."""
    ends = np.array([np.min(x, initial=np.inf), np.max(x, initial=-np.inf)])
    half = np.full(2, COVERS)
    return Series("no deviation", "guide", ends, np.zeros(2), low=-half, high=half)


def mean_panel(title: str, axis: Axis, x: FloatArray, found: Moments, *more: Series) -> Panel:
    """Mean of the reads against `x`, with the fit and what is drawn besides."""
    data = Series("data", "data", x, found.mean, found.mean_stderr)
    fit = fitted("fit", x, found.fit_mean, found.fit_mean_stderr)
    return Panel(title, axis, Axis(G), (data, fit, *more))


def std_panel(title: str, axis: Axis, x: FloatArray, found: Moments, *more: Series) -> Panel:
    """Spread of the reads against `x`, with the fit and what is drawn besides."""
    data = Series("data", "data", x, found.std, found.std_stderr)
    fit = fitted("fit", x, found.fit_std, found.fit_std_stderr)
    return Panel(title, axis, Axis(G_STD), (data, fit, *more))


def residual_panel(title: str, axis: Axis, x: FloatArray, residuals: FloatArray) -> Panel:
    """Deviations in standard errors against `x`."""
    data = Series("data", "data", x, residuals)
    return Panel(title, axis, RESIDUAL, (data, no_deviation(x)))


def qq_panel(title: str, deviations: FloatArray, name: str = "data") -> Panel:
    """Sorted deviations against the normal distribution that they should have."""
    expected, found = normal_quantiles(deviations)
    ends = np.array([np.min(expected, initial=0.0), np.max(expected, initial=0.0)])
    line = Series("no deviation", "guide", ends, ends)
    return Panel(
        title,
        Axis("quantile of the normal distribution"),
        Axis("quantile of the residuals"),
        (Series(name, "data", expected, found), line),
    )


def residual_figure(title: str, axis: Axis, x: FloatArray, found: Moments) -> Figure:
    """Residuals of a mean against `x`, and their Q-Q plot."""
    caption = (
        "Left, deviations of the mean from the fit in its standard errors, nineteen of twenty of "
        "which should lie on the grey; neighbours share devices. Right, the same made "
        "independent, against the normal distribution."
    )
    panels = (
        residual_panel("residuals of the mean", axis, x, found.residuals),
        qq_panel("Q-Q of the residuals", found.whitened),
    )
    return Figure(title, caption, panels)


def verdict(chi_square: float, freedom: float, p: float) -> str:
    """The test of a fit in words.

    >>> verdict(9.31, 7.0, 0.231)
    'χ² = 9.3 for 7 degrees of freedom (p = 0.23)'
    """
    if freedom <= 0.0:
        return "no degree of freedom is left for a test"
    shown = p_value(p)
    p_text = f"p {shown}" if shown[0] in "<>" else f"p = {shown}"
    return f"χ² = {square_text(chi_square)} for {freedom:.3g} degrees of freedom ({p_text})"


def choice_table(choices: Sequence[Choice]) -> Table:
    """Forms that were tried, and what each scored on devices that were not fitted."""
    rows: list[tuple[Cell, ...]] = []
    for choice in choices:
        for form, score in zip(choice.forms, choice.scores, strict=True):
            kept = "kept" if form == choice.kept.form else ""
            rows.append((choice.kept.entry, form, float(score) + 0.0, kept))
    caption = (
        "Forms of the laws: log-likelihood of devices that were not fitted, less that of the best "
        "form. The simplest form is kept that the best is not surely better than."
    )
    return Table(caption, ("law", "form", "held-out score", ""), tuple(rows))
