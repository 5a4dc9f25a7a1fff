"""Whether a parameter set reproduces the data it was made from: mean and spread, level by time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.drift import DriftFit, LevelFit
from pcmsim.calibration.drift_low import CutNoise, LowLevelModel
from pcmsim.calibration.drift_model import LevelModel
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.noise import noise_amplitude
from pcmsim.devices.params import Values
from pcmsim.devices.programming import placement_std

# What a set may be off by, beyond five standard errors of the data: a share of the mean, of the
# spread, or of g_max.
_SURE, _MEAN, _SPREAD, _SCALE = 5.0, 0.05, 0.15, 0.004


@dataclass(frozen=True)
class LevelCheck:
    """Mean and standard deviation of the reads of a level at each time, found and predicted [µS].

    t_s, mean, mean_stderr, std, std_stderr, predicted_mean, predicted_std (k,)
    """

    g_target: float
    g_max: float
    t_s: FloatArray
    mean: FloatArray
    mean_stderr: FloatArray
    std: FloatArray
    std_stderr: FloatArray
    predicted_mean: FloatArray
    predicted_std: FloatArray

    def faults(self) -> Iterator[str]:
        """The worst deviation of the mean, and of the spread, beyond what is tolerated."""
        rows = (
            ("mean", self.mean, self.predicted_mean, self.mean_stderr, _MEAN),
            ("spread", self.std, self.predicted_std, self.std_stderr, _SPREAD),
        )
        for what, found, predicted, stderr, share in rows:
            allowed = _SURE * stderr + np.maximum(share * np.abs(found), _SCALE * self.g_max)
            excess = np.abs(predicted - found) / allowed
            k = int(np.argmax(excess))
            if excess[k] > 1.0:
                yield (
                    f"at {self.g_target:g} uS and {self.t_s[k]:g} s the {what} is {found[k]:.4g} "
                    f"+- {stderr[k]:.2g} uS, the set gives {predicted[k]:.4g} uS"
                )


def check_levels(fit: DriftFit, values: Values) -> tuple[LevelCheck, ...]:
    """Compare every level of the drift traces with what the set `values` predicts for its target.

    The prediction follows from the laws of the set alone and is exact, not simulated.
    """
    cut: CutNoise | None = None
    checks = []
    for level in fit.levels:
        plain = level.model if isinstance(level.model, LevelModel) else level.model.plain
        if cut is None:
            cut = CutNoise(plain.noise)
        mean, covariance = predicted(level, plain, cut, values)
        checks.append(_check(level, fit.t_s, values.g_max, mean, np.sqrt(np.diag(covariance))))
    return tuple(checks)


def predicted(
    level: LevelFit, plain: LevelModel, cut: CutNoise, values: Values
) -> tuple[FloatArray, FloatArray]:
    """Mean (k,) and covariance (k, k) of the reads [µS, µS²] of devices of the set."""
    g_target = np.array(level.g_target)
    reset = level.g_target == 0.0
    location = values.reset_median if reset else level.g_target
    spread = values.reset_log_std**2 if reset else float(placement_std(values, g_target)) ** 2
    nu_mean = float(values.nu_mean(g_target / values.g_max)) * values.projection
    nu_std = float(values.nu_std(g_target / values.g_max)) * values.projection
    model = LowLevelModel(plain, cut, lambda g: noise_amplitude(values, g), reset)
    power = model.power(location, spread)
    return model(np.array([location, max(spread, 1e-12), power, nu_mean, nu_std**2]))


def _check(
    level: LevelFit, t_s: FloatArray, g_max: float, mean: FloatArray, std: FloatArray
) -> LevelCheck:
    variance = np.diag(level.sums.covariance)
    n = np.diag(level.sums.pairs)
    return LevelCheck(
        level.g_target,
        g_max,
        t_s,
        level.sums.mean,
        np.sqrt(variance / n),
        np.sqrt(variance),
        np.sqrt(variance / n),  # of a spread: between 0.7 and 1.3 of this for most shapes
        mean,
        std,
    )
