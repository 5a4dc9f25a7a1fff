"""The section on repeated reads: structure function, spectrum, and the exponent of the noise."""

import numpy as np

from pcmsim.calibration.noise import BurstFit, NoiseFit
from pcmsim.calibration.noise_model import slow_band
from pcmsim.calibration.whittle import expected_power
from pcmsim.devices.laws import FloatArray
from pcmsim.jobs.calibration_bands import linear_stderr
from pcmsim.jobs.calibration_levels import level_name
from pcmsim.jobs.calibration_panels import BAND, fitted, qq_panel
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

_BINS = 14
_SURE = 5.0


def reads_section(noise: NoiseFit) -> Section:
    """Structure function, spectra and exponents of repeated reads."""
    found = noise.estimate
    exponent = f"{found['exponent']:.4f} ± {found.stderr('exponent'):.4f}"
    gain = f"{noise.gain:+.2f}".replace("-", "−")
    text = (
        f"γ = {noise.exponent:.4g} is used. Where it is free it is {exponent} over all levels "
        f"(equal at all of them: p = {p_value(noise.homogeneity)}); a free exponent changes the "
        f"log-likelihood of devices that were not fitted by {gain}."
    )
    figures = (_spectrum_figure(noise), _structure_figure(noise), _map(noise), _qq(noise))
    return Section("Repeated reads", text, figures, (_table(noise),))


def binned(burst: BurstFit, exponent: float) -> tuple[FloatArray, ...]:
    """Spectrum in bins of frequency: f [Hz], found, its standard error, fit and its [µS²/Hz].

    Each bin is the mean over its frequencies, of data and fit alike, with the error that the
    devices show. S = 2 dt |Σ y exp(-2πi f t)|² / n.
    """
    found = burst.periodograms
    f = found.frequency_hz
    edges = np.geomspace(f[0], f[-1] * (1.0 + 1e-9), _BINS + 1)
    which = np.searchsorted(edges, f, side="right") - 1
    bins = np.unique(which)
    share = np.array([(which == b) / np.sum(which == b) for b in bins])
    power = 2.0 * found.interval_s * found.power @ share.T
    slow, white = expected_power(found, exponent)
    slopes = 2.0 * found.interval_s * np.array([slow, white]) @ share.T
    stderr = power.std(axis=0, ddof=1) / np.sqrt(power.shape[0])
    fit = burst.fixed.values @ slopes
    return share @ f, power.mean(axis=0), stderr, fit, linear_stderr(slopes, burst.fixed.covariance)


def _spectrum_figure(noise: NoiseFit) -> Figure:
    caption = (
        f"Power spectral density, mean over devices in bins of frequency, and the Whittle fit with "
        f"γ = {noise.exponent:.4g} as a finite record is expected to show it: slow noise leaks, "
        f"fast noise is aliased. {BAND}"
    )
    panels = []
    for burst in noise.levels:
        f, power, stderr, fit, fit_stderr = binned(burst, noise.exponent)
        data = Series("data", "data", f, power, stderr)
        panels.append(
            Panel(
                level_name(burst.g_target),
                Axis("frequency [Hz]", "log"),
                Axis("S [µS²/Hz]", "log"),
                (data, fitted("Whittle fit", f, fit, fit_stderr)),
            )
        )
    return Figure("Spectrum", caption, tuple(panels))


def _structure_figure(noise: NoiseFit) -> Figure:
    caption = (
        f"D(τ) = E (y(t+τ) − y(t))², twice the Allan variance at one interval; a straight line for "
        f"1/f noise. The line is fitted to the points, dashes are the Whittle fit. {BAND}"
    )
    panels = []
    for burst in noise.levels:
        lag_s, slopes = burst.structure.lag_s, _structure_slopes(burst, noise.exponent)
        stderr = linear_stderr(slopes, burst.allan.covariance)
        series = (
            Series("data", "data", lag_s, burst.structure.mean, burst.structure.stderr),
            fitted("fit of D", lag_s, burst.allan.values @ slopes, stderr),
            Series("Whittle fit", "other", lag_s, burst.fixed.values @ slopes),
        )
        axes = Axis("lag τ [s]", "log"), Axis("D [µS²]")
        panels.append(Panel(level_name(burst.g_target), *axes, series))
    return Figure("Structure function", caption, tuple(panels), folded=True)


def _structure_slopes(burst: BurstFit, exponent: float) -> FloatArray:
    """Derivatives of D by noise power and white variance (2, l)."""
    band = slow_band(exponent, 1e-6)
    slow = -np.expm1(-np.outer(burst.structure.lag_s, band.rates_per_s)) @ band.stds**2
    return 2.0 * np.array([slow, np.ones_like(slow)])


def _residuals(burst: BurstFit, exponent: float) -> FloatArray:
    _, power, stderr, fit, _ = binned(burst, exponent)
    return np.asarray((power - fit) / stderr)


def _map(noise: NoiseFit) -> Map:
    f = binned(noise.levels[0], noise.exponent)[0]
    same = [b for b in noise.levels if binned(b, noise.exponent)[0].size == f.size]
    caption = (
        "(found − Whittle fit) / standard error, level by frequency"
        f"{' of the first level' if len(same) > 1 else ''}."
    )
    return Map(
        "Residuals of the spectrum",
        caption,
        tuple(level_name(b.g_target) for b in same),
        tuple(f"{x:.3g} Hz" for x in f),
        np.array([_residuals(b, noise.exponent) for b in same]),
        _SURE,
    )


def _qq(noise: NoiseFit) -> Figure:
    panels = tuple(
        qq_panel(level_name(b.g_target), _residuals(b, noise.exponent)) for b in noise.levels
    )
    caption = "Deviations of the bins in their standard errors, against the normal distribution."
    return Figure("Q-Q of the residuals of the spectrum", caption, panels, True, True)


def _table(noise: NoiseFit) -> Table:
    caption = (
        "Noise power w = E[Q² G²] and variance of what is new in every read, by the Whittle "
        "likelihood and by the structure function, and the exponent where it is free."
    )
    head = ("level", "devices", "w, Whittle [µS²]", "w, structure [µS²]", "white, Whittle [µS²]")
    rows = tuple(_row(burst) for burst in noise.levels)
    return Table(caption, (*head, "white, structure [µS²]", "γ free", "fit"), rows)


def _row(burst: BurstFit) -> tuple[Cell, ...]:
    values = [
        Measured(fit[name], fit.stderr(name))
        for name in ("noise_power", "white_variance")
        for fit in (burst.fixed, burst.allan)
    ]
    gamma = Measured(burst.free["exponent"], burst.free.stderr("exponent"))
    return level_name(burst.g_target), burst.fixed.n, *values, gamma, burst.fixed.message
