"""Predicting a time that a fit did not see, for devices that it did not see either."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp

from pcmsim.calibration.moments import moments
from pcmsim.calibration.predictive import simulated_reads
from pcmsim.calibration.records import Instrument
from pcmsim.calibration.set_moments import SetMoments
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values

_SAMPLE = 10_000  # simulated devices of a level


@dataclass(frozen=True)
class LeftOut:
    """Reads of one level, devices and a time that the fit did not see, beside its prediction.

    label           the level, as a reader would name it
    t_s             time since the last pulse [s]
    n               devices that were read
    mean, std       of the reads, with standard errors [µS]
    predicted_mean, predicted_std
                    by the set that was fitted to the other times, exact [µS]
    p_value         of the two-sample Kolmogorov-Smirnov test against simulated devices
    """

    label: str
    t_s: float
    n: int
    mean: float
    mean_stderr: float
    predicted_mean: float
    std: float
    std_stderr: float
    predicted_std: float
    p_value: float

    @property
    def mean_deviation(self) -> float:
        """Of the mean from the prediction, in standard errors of the reads."""
        return (self.mean - self.predicted_mean) / self.mean_stderr

    @property
    def std_deviation(self) -> float:
        """Of the spread from the prediction, in standard errors of the reads."""
        return (self.std - self.predicted_std) / self.std_stderr


def left_out_choice(t_s: FloatArray) -> tuple[int, ...]:
    """Indices of the times that take turns: the second, the middle one and the last.

    The first stays, because conductances are defined by it.

    >>> left_out_choice(np.geomspace(20.0, 345_600.0, 25))
    (1, 12, 24)
    """
    return tuple(sorted({1, len(t_s) // 2, len(t_s) - 1}))


def predict_left_out(
    reads: dict[float, FloatArray],
    t_s: float,
    values: Values,
    instrument: Instrument,
    seed: int,
    lowest: float,
) -> Iterator[LeftOut]:
    """Compare reads by target (n,) [µS] at `t_s` with a set that was fitted without that time.

    The devices should be others than those that were fitted: a fit follows its own devices to the
    neighbouring times, and tests of these would reject too rarely. NaN marks a missing read; levels
    of fewer than two reads are left out.
    """
    at = np.array([t_s])
    predicted = SetMoments.of(values, instrument, at)
    for g_target, found in reads.items():
        found = found[~np.isnan(found)]
        if found.size < 2:
            continue
        sample = simulated_reads(values, instrument, g_target, _SAMPLE, at, seed, lowest)[:, 0]
        test = ks_2samp(found, sample, method="asymp")
        mean, covariance = predicted(g_target)
        of = moments(found)
        yield LeftOut(
            label=f"{g_target:g} uS",
            t_s=t_s,
            n=found.size,
            mean=of.mean,
            mean_stderr=of.mean_stderr,
            predicted_mean=float(mean[0]),
            std=of.std,
            std_stderr=of.std_stderr,
            predicted_std=float(np.sqrt(covariance[0, 0])),
            p_value=float(test.pvalue),
        )
