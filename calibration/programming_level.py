"""One target of closed-loop programming: its window, and the fit of the reads in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.device_likelihood import derived, maximise
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.noise_model import NoiseModel, spectrum_covariance
from pcmsim.calibration.programming_goodness import window_p_value
from pcmsim.calibration.programming_model import Window, at_age, log_likelihood, placement
from pcmsim.calibration.programming_pulses import fit_iterations
from pcmsim.calibration.records import Instrument, ProgrammedLevels
from pcmsim.devices.laws import FloatArray, Law
from pcmsim.rng import stream

NAMES = ("tilt", "curvature", "noise_power", "nu_mean", "nu_variance", "nu_rise")

# Targets have to span this factor to tell how noise grows with the conductance.
_APART = 1.5


@dataclass(frozen=True)
class Known:
    """What other measurements say of noise and drift, for levels with too few later reads."""

    noise: NoiseModel
    nu_mean: Law
    nu_std: Law


@dataclass(frozen=True)
class PlacedLevel:
    """One target: where its accepted devices are, and how they came there.

    devices, accepted   how many were programmed, and of how many the last read was accepted
    above, below        not accepted, with the last read beyond the window on either side
    unread              not accepted, without a verify read
    window              reads of the accepted devices that were fitted
    theta               (a, c, w, μ, σ², β) of `programming_model`
    estimate            those of them that were fitted
    placement           bias and std of the true conductance at the age of the verify read [µS]
    reference           g_mean and g_std of the conductance at t0 [µS]
    pulses              iterations, dispersion, never (`programming_pulses`)
    p_value             of a Kolmogorov-Smirnov test of the verify reads against a window law fitted
                        to them, by samples of it (`programming_goodness`)
    """

    g_target: float
    devices: int
    accepted: int
    above: int
    below: int
    unread: int
    window: Window
    theta: FloatArray
    estimate: Estimate
    placement: Estimate
    reference: Estimate
    pulses: Estimate
    p_value: float

    @property
    def sees_spread(self) -> bool:
        """Whether the window is wide enough to show how widely single pulses spread."""
        return self.estimate["curvature"] > 2.0 * self.estimate.stderr("curvature")


def fit_level(
    levels: ProgrammedLevels, at: np.ndarray, window: Window, t0_s: float, known: Known | None
) -> PlacedLevel:
    """Fit the reads of `window`, which accepted devices among the rows `at` gave.

    Noise and drift are those of `known` where it is given, and fitted otherwise.
    """
    theta, free = _start(window), np.ones(len(NAMES), dtype=bool)
    log_age = float(np.log(t0_s / levels.verify_after_s))
    if known is not None:
        theta[2:], free[2:] = _from_known(known, window.g_target, log_age), False

    def whole(part: FloatArray) -> FloatArray:
        every = theta.copy()
        every[free] = part
        return every

    tolerance = window.tolerance
    scale = np.array([1.0 / tolerance, 1.0 / tolerance**2, theta[2], 0.02, 2e-4, 0.05])
    found = maximise(
        lambda part: log_likelihood(window, whole(part)),
        theta[free],
        scale[free],
        [name for name, varied in zip(NAMES, free, strict=True) if varied],
    )
    best, done = whole(found.values), np.asarray(levels.converged, dtype=bool)[at]
    over = levels.g_verify[at] - window.g_target
    pulses = levels.iterations[at]
    return PlacedLevel(
        g_target=window.g_target,
        devices=at.size,
        accepted=int(done.sum()),
        above=int((~done & (over > 0.0)).sum()),
        below=int((~done & (over <= 0.0)).sum()),
        unread=int((~done & np.isnan(over)).sum()),
        window=window,
        theta=best,
        estimate=found,
        placement=derived(found, lambda p: placement(window, whole(p)), ("bias", "std")),
        reference=derived(found, lambda p: at_age(window, whole(p), log_age), ("g_mean", "g_std")),
        pulses=fit_iterations(pulses, done, int(pulses.max())),
        p_value=window_p_value(window, stream(0, "window", f"{window.g_target:g}")),
    )


def window_of(
    levels: ProgrammedLevels, used: np.ndarray, instrument: Instrument, exponent: float
) -> Window:
    """Reads of the rows `used`, all of one target, for noise of the spectrum 1/f^`exponent`."""
    g_target, g = float(levels.g_target[used[0]]), np.asarray(levels.g[used], dtype=np.float64)
    t_s = np.append(levels.verify_after_s, levels.read_after_s)
    # An instrument that shows negative reads cuts none off.
    cut = not (g < 0.0).any()
    return Window(
        g_target=g_target,
        tolerance=float(levels.tolerance),
        x=np.asarray(levels.g_verify[used], dtype=np.float64) - g_target,
        log_age=np.log(levels.read_after_s / levels.verify_after_s),
        g=g,
        noise=spectrum_covariance(t_s, exponent, instrument.t_read_s),
        instrument_variance=instrument.g_variance,
        floor=0.5 * instrument.g_step if cut else -np.inf,
        step=instrument.g_step,
    )


def noise_growth(windows: Sequence[Window], known: Known | None = None) -> float:
    """Exponent h of the noise against conductance, std ~ G^h, from 0 to 1.

    Slope through the amplitudes Q G of the law that is known, else through the scatter of the first
    later read around the verify read, target by target; 0 if the targets span less than a factor of
    1.5.
    """
    g = np.array([window.g_target for window in windows])
    if g.size < 2 or g.max() < _APART * g.min():
        return 0.0
    power = np.array([_start(window)[2] for window in windows])
    if known is not None:
        power = (known.noise.q(g) * g) ** 2
    slope, _ = np.polyfit(np.log(g), np.log(power), 1)
    return float(np.clip(0.5 * slope, 0.0, 1.0))


def _start(window: Window) -> FloatArray:
    """Moments: drift from the means, noise from what the first later read adds."""
    level = window.g_target + window.x
    decay = np.nanmean(window.g, axis=0) / level.mean()
    nu = float(-np.log(max(decay[-1], 1e-3)) / window.log_age[-1])
    added = float(np.nanvar(window.g[:, 0] / decay[0] - level)) - 2.0 * window.instrument_variance
    both = window.noise[0, 0] + window.noise[1, 1] - 2.0 * window.noise[0, 1]
    power = max(0.7 * added / both, 1e-6 * window.g_target**2)
    return np.array([0.0, 0.0, power, nu, 1e-4, 0.0])


def _from_known(known: Known, g_target: float, log_age: float) -> FloatArray:
    """Noise power [µS²] at the age of the verify read; mean, variance and rise of ν."""
    g = np.array(g_target)
    for _ in range(20):
        nu = float(known.nu_mean(g / known.noise.g_max))
        g = np.array(g_target * np.exp(-nu * log_age))
    power = (float(known.noise.q(g)) * g_target) ** 2
    return np.array([power, nu, float(known.nu_std(g / known.noise.g_max)) ** 2, 0.0])
