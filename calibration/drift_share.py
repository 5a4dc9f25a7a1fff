"""How much of a drift exponent belongs to the device, and how much to the programming event.

Devices that were programmed more than once have exponents μ + σ(√ρ a + √(1-ρ) b) with the same a.
A weighted sum z of a device's deviations from the mean responds to its exponent; the product of
those of two programmings has the expectation Σ_jk c_j c_k m² (E[e^(-ν x_j) e^(-ν' x_k)] - L L).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.drift_levels import AnyLevel
from pcmsim.calibration.drift_model import LevelModel, mean_decay
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.pairwise import Pairwise
from pcmsim.calibration.structure import Solution
from pcmsim.devices.laws import FloatArray

# Below this ratio of mean to spread too many exponents are folded for the unfolded moments.
_UNFOLDED = 2.5


@dataclass(frozen=True)
class ShareTerm:
    """What one level says about the share: signals z of all rows, and their devices.

    signal, device, programming (n,) of the rows; influence (n, 5) on the level's parameters.
    """

    model: AnyLevel
    solution: Solution
    device: FloatArray
    programming: FloatArray
    signal: FloatArray
    influence: FloatArray

    def expected(self, share: float, theta: FloatArray) -> float:
        """E[z z'] of two programmings of a device whose exponents share the part `share`."""
        m, _, _, mu, variance = theta
        x, weight = self.model.log_age, self.weight
        decay = mean_decay(x, mu, 0.0) * np.exp(0.5 * variance * x**2)
        both = np.outer(decay, decay) * np.expm1(variance * share * np.outer(x, x))
        return float(m**2 * weight @ both @ weight)

    @property
    def weight(self) -> FloatArray:
        """Weights of the reads in z: Σ⁻¹ dE[y]/dμ (k,)."""
        return np.asarray(self.solution.point.weighted_means[3])


def signals(solution: Solution, sums: Pairwise, rows: FloatArray) -> FloatArray:
    """Signals z of the rows (n,); missing reads are weighted up."""
    off = np.where(np.isnan(rows), 0.0, rows - solution.point.mean)
    return np.asarray(off @ (solution.point.weighted_means[3] / sums.present_share))


def nu_share(terms: Sequence[ShareTerm]) -> Estimate | None:
    """Estimate `nu_device_share` from all levels with devices programmed twice; None without.

    Levels are weighted by their precision. The errors include those of the levels' spreads.
    """
    found = [pair for term in terms for pair in _level_share(term)]
    if not found:
        return None
    shares, precisions = np.array([f[0] for f in found]), np.array([1.0 / f[1] for f in found])
    value = float(np.sum(shares * precisions) / np.sum(precisions))
    variance = 1.0 / float(np.sum(precisions))
    return Estimate(
        ("nu_device_share",),
        np.array([value]),
        np.array([[variance]]),
        sum(f[2] for f in found),
    )


def _level_share(term: ShareTerm) -> Iterator[tuple[float, float, int]]:
    """Share, its variance and the number of devices of a level, if it can tell."""
    theta = term.solution.theta
    if (
        not isinstance(term.model, LevelModel)
        or theta[4] <= 0.0
        or theta[3] < _UNFOLDED * np.sqrt(theta[4])
    ):
        return
    first, second = _pairs(term)
    if first.size < 20:
        return
    products = term.signal[first] * term.signal[second]
    unit = term.expected(1.0, theta)
    share = _inverse(term, float(products.mean()), theta)
    slope = (term.expected(share + 0.01, theta) - term.expected(share - 0.01, theta)) / 0.02
    gradient = _gradient(term, share, theta)
    # Every row of a device moves the parameters of the level, its pair of signals the product.
    numbers, which = np.unique(term.device, return_inverse=True)
    effect = np.zeros(numbers.size)
    np.add.at(effect, which, -(term.influence @ gradient))
    np.add.at(effect, which[first], (products - products.mean()) / first.size)
    variance = float(np.sum((effect / slope) ** 2))
    if unit > 0.0 and np.isfinite(variance) and variance > 0.0:
        yield share, variance, first.size


def _pairs(term: ShareTerm) -> tuple[FloatArray, FloatArray]:
    """Rows of consecutive programmings of the same device."""
    order = np.lexsort((term.programming, term.device))
    device, programming = term.device[order], term.programming[order]
    after = (device[1:] == device[:-1]) & (programming[1:] == programming[:-1] + 1)
    at = np.flatnonzero(after)
    return order[at], order[at + 1]


def _inverse(term: ShareTerm, product: float, theta: FloatArray) -> float:
    """Share at which the expected product is the one found; beyond 0 and 1 where noise puts it."""
    share = product / term.expected(1.0, theta)
    for _ in range(20):
        rise = (term.expected(share + 1e-4, theta) - term.expected(share - 1e-4, theta)) / 2e-4
        share -= (term.expected(share, theta) - product) / rise
    return float(share)


def _gradient(term: ShareTerm, share: float, theta: FloatArray) -> FloatArray:
    gradient = np.zeros(theta.size)
    for a, size in enumerate(term.model.scale(theta)):
        h = np.zeros(theta.size)
        h[a] = 1e-4 * size
        up, down = term.expected(share, theta + h), term.expected(share, theta - h)
        gradient[a] = (up - down) / (2.0 * h[a])
    return gradient
