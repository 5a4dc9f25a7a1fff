"""Whether a parameter set reproduces the data it was made from: mean and spread, level by time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.drift import DriftFit, LevelFit
from pcmsim.calibration.drift_low import CutNoise
from pcmsim.calibration.drift_model import LevelModel
from pcmsim.calibration.set_moments import SetMoments
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values

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
    moments: SetMoments | None = None
    checks = []
    for level in fit.levels:
        if moments is None:
            plain = level.model if isinstance(level.model, LevelModel) else level.model.plain
            moments = SetMoments(values, plain, CutNoise(plain.noise))
        mean, covariance = moments(level.g_target)
        checks.append(_check(level, fit.t_s, values.g_max, mean, np.sqrt(np.diag(covariance))))
    return tuple(checks)


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
