"""Laws of the conductance through what drift traces say of each level.

Spread of programming, mean and spread of the drift exponent and amplitude of the noise are fitted
to the estimates of the levels with their full covariance, in the forms that parameter sets know.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.kinks import with_kinks
from pcmsim.calibration.regression import Regression, regress
from pcmsim.devices.laws import ClippedLog, Constant, FloatArray, Law, Polynomial, Table


@dataclass(frozen=True)
class LevelTable:
    """Estimates of all levels: (location, spread, w, μ, σ²) each, and their joint covariance.

    g_target (l,) [µS]; theta (l, 5); covariance (5 l, 5 l); working (l, 5), variances that Gaussian
    devices would give; n devices in all
    """

    g_target: FloatArray
    theta: FloatArray
    covariance: FloatArray
    working: FloatArray
    n: int

    def block(self, parameter: int, rows: FloatArray) -> FloatArray:
        """Covariance of one parameter between the levels `rows`."""
        at = 5 * np.asarray(rows) + parameter
        return np.asarray(self.covariance[np.ix_(at, at)])

    def weights(self, parameter: int, rows: FloatArray) -> FloatArray:
        """The same for weighting: variances that Gaussian devices would give."""
        return np.diag(self.working[np.asarray(rows), parameter])


@dataclass(frozen=True)
class LawFit:
    """A law of a parameter set that was fitted.

    entry           name of the entry
    law             the law itself
    value           its coefficients as they stand in a file
    form            name of the form
    regression      estimate of the coefficients and test of fit
    g, found, stderr
                    what it was fitted to, against g = G/g_max
    """

    entry: str
    law: Law
    value: dict[str, Any]
    form: str
    regression: Regression
    g: FloatArray
    found: FloatArray
    stderr: FloatArray


def fit_polynomial(table: LevelTable, g_max: float, degree: int) -> LawFit:
    """σ(g) = Σ c_k g^k [µS] of the programmed conductance, from the spreads of targets above 0."""
    at = np.flatnonzero(table.g_target > 0.0)
    g, variance = table.g_target[at] / g_max, table.theta[at, 1]
    stderr = np.sqrt(np.diag(table.block(1, at)))
    std = np.sqrt(np.maximum(variance, stderr * 0.1))
    start = np.polynomial.polynomial.polyfit(g, std, degree, w=std / stderr)
    names = tuple(f"c{k}" for k in range(degree + 1))

    def law(theta: FloatArray) -> FloatArray:
        return np.asarray(np.polynomial.polynomial.polyval(g, theta) ** 2)

    block, weights = table.block(1, at), table.weights(1, at)
    found = regress(law, variance, block, start, names, table.n, weights)
    coefficients = tuple(float(c) for c in found.estimate.values)
    value = {"polynomial": list(coefficients)}
    errors = stderr / (2.0 * std)
    fitted = Polynomial(coefficients)
    return LawFit("programming_std", fitted, value, f"degree {degree}", found, g, std, errors)


def fit_clipped_log(
    table: LevelTable, g_max: float, entry: str, start: FloatArray | None = None
) -> LawFit:
    """clip(slope ln g + intercept, low, high) for `nu_mean` or `nu_std`.

    The spread is fitted as a variance, which is unbiased where a root would not be. From `start`,
    or from every choice of the levels that lie on the flat ends, of which the best is kept.
    """
    at = np.arange(table.g_target.size)
    g = table.g_target / g_max
    parameter = 3 if entry == "nu_mean" else 4
    found, covariance = table.theta[:, parameter], table.block(parameter, at)
    # Errors of a mean hardly depend on it; those of a variance do, and would favour small ones.
    weights = covariance if entry == "nu_mean" else table.weights(parameter, at)
    stderr = np.sqrt(np.diag(covariance))
    power = 1 if entry == "nu_mean" else 2

    def law(theta: FloatArray) -> FloatArray:
        line = theta[0] * np.log(np.maximum(g, 1e-7)) + theta[1]
        return np.asarray(np.minimum(np.maximum(line, theta[2]), theta[3]) ** power)

    seen = found if power == 1 else np.sqrt(np.maximum(found, 0.01 * stderr))
    errors = stderr if power == 1 else stderr / (2.0 * seen)
    names = ("slope", "intercept", "low", "high")
    best = min(
        (
            regress(law, found, covariance, start, names, table.n, weights)
            for start in (_hinges(g, seen, errors) if start is None else [start])
        ),
        key=lambda regression: regression.chi_square,
    )
    if start is None:
        best = with_kinks(best, g, covariance, weights, power)
    slope, intercept, low, high = (float(x) for x in best.estimate.values)
    # Beyond the levels that were measured the law stays where they end.
    ends = slope * np.log(np.maximum([g.max(), g.min()], 1e-7)) + intercept
    low = float(ends[0]) if "low" in best.unidentified else low
    high = float(ends[1]) if "high" in best.unidentified else high
    value = {
        "slope": slope,
        "intercept": intercept,
        "low": max(low, 0.0),
        "high": max(high, low, 0.0),
    }
    fitted = ClippedLog(**value)
    return LawFit(entry, fitted, value, "clipped logarithm", best, g, seen, errors)


def _hinges(g: FloatArray, found: FloatArray, stderr: FloatArray) -> list[FloatArray]:
    """Starts with every choice of how many levels lie on the flat ends."""
    order = np.argsort(g)
    g, found, weight = g[order], found[order], 1.0 / stderr[order]
    starts = []
    for low in range(1, g.size - 2):
        for high in range(1, g.size - low - 1):
            middle = slice(high, g.size - low)
            x = np.log(np.maximum(g[middle], 1e-7))
            slope, intercept = np.polyfit(x, found[middle], 1, w=weight[middle])
            top = np.average(found[:high], weights=weight[:high] ** 2)
            bottom = np.average(found[-low:], weights=weight[-low:] ** 2)
            if slope < 0.0 and bottom < top:
                starts.append(np.array([slope, intercept, bottom, top]))
    return starts or [np.array([-1e-3, found.mean(), found.min(), found.max()])]


def fit_table(table: LevelTable, g_max: float, entry: str) -> LawFit:
    """Straight lines through the levels themselves, for laws of no known form."""
    parameter, power = {"programming_std": (1, 2), "nu_mean": (3, 1), "nu_std": (4, 2)}[entry]
    at = np.flatnonzero((table.g_target > 0.0) | (entry != "programming_std"))
    g, found = table.g_target[at] / g_max, table.theta[at, parameter]
    block = table.block(parameter, at)
    stderr = np.sqrt(np.diag(block))
    seen = found if power == 1 else np.sqrt(np.maximum(found, 0.01 * stderr))
    errors = stderr if power == 1 else stderr / (2.0 * seen)
    names = tuple(f"y{k}" for k in range(g.size))
    slope = np.ones_like(seen) if power == 1 else 1.0 / (2.0 * seen)
    estimate = Estimate(names, seen, block * np.outer(slope, slope), table.n)
    value = {"x": [float(x) for x in g], "y": [float(max(y, 0.0)) for y in seen]}
    fitted = Table(tuple(value["x"]), tuple(value["y"]))
    return LawFit(entry, fitted, value, "table", Regression(estimate, 0.0, 0, 1.0), g, seen, errors)


def fit_constant(table: LevelTable, g_max: float, entry: str) -> LawFit:
    """The same exponent, or spread of it, at every level."""
    parameter, power = {"nu_mean": (3, 1), "nu_std": (4, 2)}[entry]
    at = np.arange(table.g_target.size)
    found, block = table.theta[:, parameter], table.block(parameter, at)
    stderr = np.sqrt(np.diag(block))
    seen = found if power == 1 else np.sqrt(np.maximum(found, 0.01 * stderr))
    start = np.array([float(np.average(seen, weights=1.0 / stderr))])
    one = np.ones(found.size)
    weights = table.weights(parameter, at)
    regression = regress(
        lambda p: one * p[0] ** power, found, block, start, ("constant",), table.n, weights
    )
    value = {"constant": float(regression.estimate.values[0])}
    errors = stderr if power == 1 else stderr / (2.0 * seen)
    law = Constant(value["constant"])
    return LawFit(entry, law, value, "constant", regression, table.g_target / g_max, seen, errors)


LawFitter = Callable[[LevelTable, float], LawFit]


def candidates(entry: str, levels: int) -> Sequence[LawFitter]:
    """Forms that are tried for an entry, the simplest first, as far as the levels suffice."""
    if entry == "programming_std":
        degrees = [k for k in (1, 2, 3) if levels > k + 1]
        forms: list[LawFitter] = [partial(fit_polynomial, degree=k) for k in degrees]
        return [*forms, partial(fit_table, entry=entry)]
    forms = [partial(fit_constant, entry=entry)]
    if levels >= 5:
        forms.append(partial(fit_clipped_log, entry=entry))
    if levels >= 2:
        forms.append(partial(fit_table, entry=entry))
    return forms
