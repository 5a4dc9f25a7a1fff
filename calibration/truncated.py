"""Reads that a window has selected: the normal law within it, down to the flat limit.

Of reads from N(m, s²) those within ±h of the target are kept. With x = y - target their density is
exp(a x - c x²/2) / Z on (-h, h), where c = 1/s² and a = (m - target)/s². Window data determine a
and c even if s is much larger than h, where m and s lose their meaning: c = 0 is a straight
exponential, a = c = 0 the uniform law.
"""

import numpy as np

from pcmsim.devices.laws import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(80)
# Standard deviations from the middle beyond which nothing adds to an integral.
_FAR = 9.0


def log_density(x: FloatArray, half: float, tilt: float, curvature: float) -> FloatArray:
    """Log density of the reads `x` [µS] from the target, within ±`half` [µS].

    `tilt` a [1/µS] and `curvature` c [1/µS²] may have any sign.

    >>> float(log_density(np.array([0.3]), 1.0, 0.0, 0.0)[0].round(4))  # uniform: -ln 2
    -0.6931
    """
    log_mass, _, _ = window_law(half, tilt, curvature)
    return np.asarray(tilt * x - 0.5 * curvature * x**2 - log_mass)


def window_law(half: float, tilt: float, curvature: float) -> tuple[float, FloatArray, FloatArray]:
    """ln Z, and points x [µS] with weights for expectations: Gauss-Legendre on where the mass is.

    >>> _, x, share = window_law(0.6, 0.0, 0.0)
    >>> round(float(share @ x**2), 6)  # 0.6² / 3
    0.12
    """
    low, high = -half, half
    if curvature > 0.0:
        # The densest point of the window; the mass lies within a few widths of it.
        peak = min(max(tilt / curvature, -half), half)
        reach = _FAR / np.sqrt(curvature)
        low, high = max(low, peak - reach), min(high, peak + reach)
    x = 0.5 * (low + high) + 0.5 * (high - low) * _NODES
    exponent = tilt * x - 0.5 * curvature * x**2
    top = float(exponent.max())
    mass = 0.5 * (high - low) * _WEIGHTS * np.exp(exponent - top)
    total = float(mass.sum())
    return float(np.log(total)) + top, x, mass / total


def window_share(x: FloatArray, half: float, tilt: float, curvature: float) -> FloatArray:
    """Distribution function of the law at `x` [µS] from the target, such as for a test of fit.

    >>> window_share(np.array([-0.5, 0.0, 0.5]), 0.5, 0.0, 0.0).round(6)
    array([0. , 0.5, 1. ])
    """
    edge = np.linspace(-half, half, 4001)
    density = np.exp(log_density(edge, half, tilt, curvature))
    share = np.append(0.0, np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(edge)))
    return np.asarray(np.interp(x, edge, share / share[-1]))
