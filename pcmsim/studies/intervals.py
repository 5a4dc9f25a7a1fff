"""How sure a mean over chips is, and how many chips a wanted precision takes."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

LEVEL = 0.95
MOST_CHIPS = 2**30


@dataclass(frozen=True)
class Mean:
    """Mean over `n` chips, with the half-width of its interval; one chip has no spread."""

    mean: float
    std: float | None
    half_width: float | None
    n: int


def mean_over_chips(values: NDArray[np.float64], level: float = LEVEL) -> Mean:
    """Mean of independent chips, with the interval mean ± t s / √n of Student's t.

    `values` (chips,); chips that were not measured are NaN and left out.

    >>> found = mean_over_chips(np.array([1.0, 2.0, 3.0]))
    >>> found.mean, found.std, round(found.half_width, 3)
    (2.0, 1.0, 2.484)
    """
    known = values[np.isfinite(values)]
    n = len(known)
    if n == 0:
        return Mean(math.nan, None, None, 0)
    if n == 1:
        return Mean(float(known[0]), None, None, 1)
    std = float(known.std(ddof=1))
    return Mean(float(known.mean()), std, _factor(n, level) * std / math.sqrt(n), n)


def chips_needed(std: float, half_width: float, level: float = LEVEL) -> int:
    """Smallest number of chips whose mean has an interval of at most ± `half_width`.

    `std` is the standard deviation over chips; n with t(n - 1) std / √n <= half_width.

    >>> chips_needed(0.07, 0.02)
    50
    """
    enough = 2
    while not _reaches(enough, std, half_width, level):
        enough *= 2
        if enough > MOST_CHIPS:
            return MOST_CHIPS
    # The half-width falls with n: look between the last power of two that is too few and this one.
    few = enough // 2
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (
            (few, middle) if _reaches(middle, std, half_width, level) else (middle, enough)
        )
    return enough


def paired(
    values: NDArray[np.float64], baseline: NDArray[np.float64], level: float = LEVEL
) -> Mean:
    """Mean of the differences on the same chips; what chips have in common drops out."""
    return mean_over_chips(values - baseline, level)


def _reaches(n: int, std: float, half_width: float, level: float) -> bool:
    return _factor(n, level) * std / math.sqrt(n) <= half_width


def _factor(n: int, level: float) -> float:
    return float(student.ppf(0.5 + level / 2, n - 1))
