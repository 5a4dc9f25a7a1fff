"""Mean and standard deviation of a sample, each with its standard error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pcmsim.errors import UsageError


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation in the unit of the sample, and their standard errors."""

    n: int
    mean: float
    std: float
    mean_stderr: float
    std_stderr: float


def moments(sample: ArrayLike) -> Moments:
    r"""Estimate mean and standard deviation of independent values of any distribution.

    :math:`\mathrm{se}(\bar x) = s/\sqrt n` and, to first order in 1/n,
    :math:`\mathrm{se}(s) = s\sqrt{(\kappa - 1)/4n}` with the sample's own kurtosis
    :math:`\kappa = m_4/m_2^2` (Kendall and Stuart, The Advanced Theory of Statistics, vol. 1,
    section 10.8), so no normal distribution is assumed.

    Raises `UsageError` for fewer than two values, or values that are not finite.

    >>> moments([1.0, 2.0, 3.0]).mean, moments([1.0, 2.0, 3.0]).std
    (2.0, 1.0)
    """
    x = np.asarray(sample, dtype=np.float64).ravel()
    if x.size < 2:
        raise UsageError(f"a spread needs at least two values; got {x.size}")
    if not np.all(np.isfinite(x)):
        raise UsageError("the sample holds NaN or infinite values; leave them out and say so")
    mean = float(x.mean())
    squares = (x - mean) ** 2
    second = float(squares.mean())
    std = float(np.sqrt(squares.sum() / (x.size - 1)))
    kurtosis = float((squares**2).mean()) / second**2 if second > 0.0 else 1.0
    std_stderr = std * float(np.sqrt(max(kurtosis - 1.0, 0.0) / (4 * x.size)))
    return Moments(x.size, mean, std, std / float(np.sqrt(x.size)), std_stderr)
