"""Whittle likelihood of repeated reads, with the spectrum that a finite record is expected to show.

The periodogram of a short, sampled record of 1/f noise is not its spectrum: slow noise leaks, fast
noise is aliased. The debiased Whittle likelihood compares with the expected periodogram, the
transform of (1 - |τ|/n) C(τ), and is unbiased for every length. Sykulski et al., Biometrika 106,
251 (2019), doi:10.1093/biomet/asy071.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.clusters import clustered
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.noise_model import slow_band
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

_MOST_STEPS = 200


@dataclass(frozen=True)
class Periodograms:
    """Squared transforms of records at the Fourier frequencies above zero.

    frequency_hz    f (m,)
    power           |Σ_k y_k exp(-2πi f k dt)|² / n of each device [µS²] (d, m)
    window          mean share of present pairs at each lag, (1 - τ/n) for complete records (n,)
    interval_s      dt [s]
    """

    frequency_hz: FloatArray
    power: FloatArray
    window: FloatArray
    interval_s: float


def periodograms(g: FloatArray, interval_s: float) -> Periodograms:
    """Periodograms of the records `g` (d, n) [µS] less their means; NaN counts as the mean."""
    n = g.shape[1]
    present = ~np.isnan(g)
    off = np.where(present, g - np.nanmean(g, axis=1, keepdims=True), 0.0)
    power = np.abs(np.fft.rfft(off, axis=1)) ** 2 / n
    masks = np.fft.irfft(np.abs(np.fft.rfft(present, 2 * n, axis=1)) ** 2, axis=1)[:, :n]
    last = (n - 1) // 2 + 1  # the Nyquist frequency has another distribution
    frequency = np.fft.rfftfreq(n, interval_s)[1:last]
    return Periodograms(frequency, power[:, 1:last], masks.mean(axis=0) / n, interval_s)


def expected_power(found: Periodograms, exponent: float) -> tuple[FloatArray, FloatArray]:
    """Expected periodograms of persistent modes with w = 1, and of unit white noise (m,)."""
    n = found.window.size
    band = slow_band(exponent, 1e-6)
    lag_s = np.arange(n) * found.interval_s
    slow = np.exp(-np.outer(lag_s, band.rates_per_s)) @ band.stds**2
    # Records lack their mean, so a constant in C(τ) does not matter; less rounding without it.
    covariance = (slow - slow[-1]) * found.window
    covariance[0] *= 0.5
    spectrum = 2.0 * np.fft.rfft(covariance).real
    return spectrum[1 : found.power.shape[1] + 1], np.full(found.power.shape[1], found.window[0])


def fit_whittle(found: Periodograms, device: FloatArray, exponent: float | None = None) -> Estimate:
    """Noise power w = E[Q² G²] [µS²], white variance [µS²] and, unless given, the exponent γ.

    Minimises Σ_f ln S + I/S with S = w S_γ + white and I the mean over the devices, which may have
    different amplitudes; errors by the scores of the devices (n numbers in `device`).
    """
    names = ("noise_power", "white_variance", "exponent")[: 2 if exponent is not None else 3]
    mean = found.power.mean(axis=0)
    theta = _start(found, mean, exponent)
    best, message = _deviance(mean, _spectrum(found, theta, exponent)[0]), "too many steps"
    for _ in range(_MOST_STEPS):
        spectrum, slopes = _spectrum(found, theta, exponent)
        weighted = slopes / spectrum**2
        information = weighted @ slopes.T
        step = np.linalg.solve(information, weighted @ (mean - spectrum))
        if found.power.shape[0] * float(step @ information @ step) < 1e-10:
            message = "converged"
            break
        theta, best = _damped(found, theta, step, best, mean, exponent)
    spectrum, slopes = _spectrum(found, theta, exponent)
    weighted = slopes / spectrum**2
    scores = (found.power - spectrum) @ weighted.T
    influence = scores @ np.linalg.inv(weighted @ slopes.T) / found.power.shape[0]
    covariance = clustered([(np.asarray(device), influence)])
    n = found.power.shape[0]
    return Estimate(names, theta, covariance, n, message == "converged", message)


def held_out_gain(found: Periodograms, device: FloatArray, fold: FloatArray) -> float:
    """Log-likelihood that a free exponent gains over γ = 1 on devices that were not fitted."""
    gain = 0.0
    for k in np.unique(fold):
        train = _part(found, fold != k)
        held = found.power[fold == k]
        deviances = []
        for exponent in (1.0, None):
            theta = fit_whittle(train, device[fold != k], exponent).values
            spectrum = _spectrum(train, theta, exponent)[0]
            deviances.append(_deviance(held.mean(axis=0), spectrum))
        gain += held.shape[0] * (deviances[0] - deviances[1])
    return gain


def _part(found: Periodograms, rows: FloatArray) -> Periodograms:
    return Periodograms(found.frequency_hz, found.power[rows], found.window, found.interval_s)


def _start(found: Periodograms, mean: FloatArray, exponent: float | None) -> FloatArray:
    """Least squares of the mean periodogram in units of itself, at γ = 1 unless given."""
    shape = np.array(expected_power(found, 1.0 if exponent is None else exponent)).T
    power, *_ = np.linalg.lstsq(shape / mean[:, None], np.ones_like(mean), rcond=None)
    if not np.all(np.isfinite(power)):
        raise DataError("reads: the records do not vary; no noise can be fitted")
    start = np.maximum(power, 0.02 * mean.mean() / shape.mean(axis=0))
    return start if exponent is not None else np.append(start, 1.0)


def _spectrum(
    found: Periodograms, theta: FloatArray, exponent: float | None
) -> tuple[FloatArray, FloatArray]:
    """S and its derivatives by the parameters."""
    gamma = float(theta[2]) if exponent is None else exponent
    slow, white = expected_power(found, gamma)
    slopes = [slow, white]
    if exponent is None:
        above, below = (expected_power(found, gamma + h)[0] for h in (1e-4, -1e-4))
        slopes.append(theta[0] * (above - below) / 2e-4)
    return theta[0] * slow + theta[1] * white, np.array(slopes)


def _damped(
    found: Periodograms,
    theta: FloatArray,
    step: FloatArray,
    best: float,
    mean: FloatArray,
    exponent: float | None,
) -> tuple[FloatArray, float]:
    """The step, halved until it improves the fit and stays among spectra that exist."""
    for _ in range(40):
        moved = theta + step
        if exponent is not None or 0.5 < moved[2] < 1.95:
            candidate = _deviance(mean, _spectrum(found, moved, exponent)[0])
            if candidate <= best:
                return moved, candidate
        step = 0.5 * step
    return theta, best


def _deviance(mean: FloatArray, spectrum: FloatArray) -> float:
    if not np.all(spectrum > 0.0):
        return float("inf")
    return float(np.sum(np.log(spectrum) + mean / spectrum))
