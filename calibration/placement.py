"""Where programmed devices end up: bias and spread of first reads about the target."""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.relaxation_traces import Traces
from pcmsim.devices.laws import FloatArray, Polynomial

_FEWEST, _DEGREE = 20, 2


@dataclass(frozen=True)
class Placement:
    """First reads of converged devices, target by target, and the law through their spreads.

    g_target, bias, std, std_stderr   of each target with twenty devices [µS] (l,)
    law, stderr                       polynomial of G/g_max for the standard deviation [µS]
    """

    g_target: FloatArray
    bias: FloatArray
    std: FloatArray
    std_stderr: FloatArray
    law: Polynomial
    stderr: tuple[float, ...]


def fit_placement(traces: Traces) -> Placement:
    """Weighted least squares of the spreads; the noise of one read is part of them.

    Degree two, or less for fewer than four targets; where the polynomial would fall below zero
    between 0 and g_max, the degree is reduced.
    """
    rows = []
    for target in np.unique(traces.g_target):
        off = traces.g_first[(traces.g_target == target) & traces.converged] - target
        if off.size >= _FEWEST:
            std = float(off.std())
            excess = max(float(np.mean((off - off.mean()) ** 4)) - std**4, 0.0)
            stderr = np.sqrt(excess / off.size) / (2.0 * std) if std else 0.0
            rows.append((target, off.mean(), std, max(stderr, 1e-3 * std, 1e-9)))
    if not rows:
        zeros = np.zeros(0)
        return Placement(zeros, zeros, zeros, zeros, Polynomial((0.0,)), (0.0,))
    g_target, bias, std, stderr = np.array(rows).T
    law, errors = _law(g_target / traces.g_max, std, stderr)
    return Placement(g_target, bias, std, stderr, law, errors)


def _law(
    u: FloatArray, std: FloatArray, stderr: FloatArray
) -> tuple[Polynomial, tuple[float, ...]]:
    for degree in range(min(_DEGREE, max(u.size - 2, 0)), -1, -1):
        powers = u[:, None] ** np.arange(degree + 1) / stderr[:, None]
        covariance = np.linalg.pinv(powers.T @ powers)
        found = covariance @ powers.T @ (std / stderr)
        law = Polynomial(tuple(float(c) for c in found))
        if law(np.linspace(0.0, 1.0, 101)).min() >= 0.0:
            break
    return law, tuple(float(x) for x in np.sqrt(np.diag(covariance)))
