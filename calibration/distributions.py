"""Measured against predicted distributions: Kolmogorov-Smirnov tests and quantiles."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp

from pcmsim.calibration.records import IntArray
from pcmsim.devices.laws import FloatArray
from pcmsim.errors import DataError

PROBABILITIES = tuple(float(p) for p in (0.01, 0.02, *np.arange(0.05, 0.96, 0.05), 0.98, 0.99))


@dataclass(frozen=True)
class Distribution:
    """Conductances of one group of devices at one time, beside what a model predicts for them.

    label               the group, as a reader would name it
    t_s                 time since the last pulse [s]
    n                   devices that were read
    statistic, p_value  of the two-sample Kolmogorov-Smirnov test
    found, predicted    quantiles of the reads and of the prediction at PROBABILITIES [µS] (q,)
    """

    label: str
    t_s: float
    n: int
    statistic: float
    p_value: float
    found: FloatArray
    predicted: FloatArray

    def rejected(self, level: float = 0.01) -> bool:
        """Whether the data reject the prediction at this level of significance."""
        return self.p_value < level


def compare(label: str, t_s: float, found: FloatArray, predicted: FloatArray) -> Distribution:
    """Compare reads with a sample of the prediction, which should be many times larger.

    Missing reads (NaN) are left out. D = sup |F_found - F_predicted|. Raises `DataError` if either
    side is empty.

    >>> rng = np.random.default_rng(0)
    >>> reads, model = rng.normal(10.0, 1.0, 500), rng.normal(10.0, 1.0, 20_000)
    >>> compare("10 uS", 20.0, reads, model).rejected()
    False
    >>> compare("10 uS", 20.0, reads, 1.3 * model - 3.0).rejected()
    True
    """
    found, predicted = found[~np.isnan(found)], predicted[~np.isnan(predicted)]
    if not (found.size and predicted.size):
        raise DataError(f"{label} at {t_s:g} s: nothing to compare; there is no read or no sample")
    test = ks_2samp(found, predicted, method="asymp")
    quantiles = (np.quantile(sample, PROBABILITIES) for sample in (found, predicted))
    statistic, p_value = float(test.statistic), float(test.pvalue)
    return Distribution(label, float(t_s), found.size, statistic, p_value, *quantiles)


def held_out(device: IntArray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Which rows belong to the `share` of the devices that is kept from a fit (n,), boolean.

    Whole devices are drawn, so no device is on both sides.

    >>> mask = held_out(np.array([4, 4, 7, 8, 9, 9]), 0.25, np.random.default_rng(0))
    >>> bool(mask[0] == mask[1] and mask[4] == mask[5]), int(mask.sum()) in (1, 2)
    (True, True)
    """
    numbers = np.unique(device)
    count = round(share * numbers.size)
    return np.isin(device, rng.permutation(numbers)[:count])
