"""Whether the verify reads of a window follow the law that was fitted to them.

Parameters that were fitted to the same reads make the usual Kolmogorov-Smirnov p-value far too
large. Here the distance of the reads from their best window law is compared with the distances of
samples of that law from their own best (parametric bootstrap; Lilliefors, J. Am. Stat. Assoc. 62,
399, 1967, doi:10.1080/01621459.1967.10482916).
"""

import numpy as np

from pcmsim.calibration.programming_model import Window
from pcmsim.calibration.truncated import window_law, window_share
from pcmsim.devices.laws import FloatArray

_STEPS, _PRECISION = 50, 1e-6
# Of the half width: reads that are all alike, or all at the edges, have no law of greatest
# likelihood, so they count as not quite so.
_EDGE, _NARROW = 0.999, 1e-6


def window_p_value(window: Window, rng: np.random.Generator, draws: int = 199) -> float:
    """Share of samples of the law that lie further from their fit than the reads do from theirs.

    The law is fitted to the verify reads alone, and to each of the `draws` samples, which are
    rounded as reads are. Uniform on 1/(draws + 1) to 1 if reads follow a window law.

    >>> rng = np.random.default_rng(0)
    >>> blank = np.empty((500, 0))
    >>> true = Window(10.0, 0.8, rng.uniform(-0.8, 0.8, 500), blank[0], blank, np.eye(1), 0.0)
    >>> peaks = rng.choice([-0.5, 0.0, 0.5], 500) + rng.normal(0.0, 0.1, 500)
    >>> other = Window(10.0, 0.8, peaks.clip(-0.8, 0.8), blank[0], blank, np.eye(1), 0.0)
    >>> window_p_value(true, rng) > 0.05, window_p_value(other, rng)
    (True, 0.005)
    """
    half, n = window.tolerance, window.x.size
    law = fit_window(window.x, half)
    edge = np.linspace(-half, half, 4001)
    share = window_share(edge, half, *law)
    found = _distance(window.x, half, law)
    beyond = 0
    for _ in range(draws):
        x = _rounded(np.interp(rng.random(n), share, edge), window)
        beyond += _distance(x, half, fit_window(x, half)) >= found
    return (1 + beyond) / (draws + 1)


def fit_window(x: FloatArray, half: float) -> tuple[float, float]:
    """Tilt [1/µS] and curvature [1/µS²] of the window law of greatest likelihood for reads `x`.

    In u = x / `half` the law exp(a u - c u²/2) is an exponential family, so the log likelihood is
    concave, and Newton's steps, halved where they do not rise, end at its maximum. Mean and spread
    of the law are then those of the reads.

    >>> tilt, curvature = fit_window(np.random.default_rng(0).uniform(-0.5, 0.5, 4000), 0.5)
    >>> abs(tilt) < 0.3, abs(curvature) < 2.0  # three standard errors from uniform
    (True, True)
    """
    u = np.clip(x / half, -_EDGE, _EDGE)
    mean, variance = float(u.mean()), max(float(u.var()), _NARROW)
    target = np.array([mean, -0.5 * (mean**2 + variance)])
    theta = np.array([mean, 1.0]) / variance
    gain = _gain(theta, target)
    for _ in range(_STEPS):
        _, at, share = window_law(1.0, *theta.tolist())
        both = np.stack([at, -0.5 * at**2])
        off = both - (both @ share)[:, None]
        slope = target - both @ share
        step = np.linalg.solve((off * share) @ off.T, slope)
        while step @ slope > _PRECISION / x.size and _gain(theta + step, target) < gain:
            step *= 0.5
        theta, rise = theta + step, float(step @ slope)
        gain = _gain(theta, target)
        if rise <= _PRECISION / x.size:
            break
    return float(theta[0]) / half, float(theta[1]) / half**2


def _gain(theta: FloatArray, target: FloatArray) -> float:
    """Log likelihood of one read, on average."""
    return float(theta @ target) - window_law(1.0, *theta.tolist())[0]


def _distance(x: FloatArray, half: float, law: tuple[float, float]) -> float:
    """D = sup |F_reads - F_law|."""
    share, rank = window_share(np.sort(x), half, *law), np.arange(x.size + 1) / x.size
    return float(max((rank[1:] - share).max(), (share - rank[:-1]).max()))


def _rounded(x: FloatArray, window: Window) -> FloatArray:
    """Reads as the converter gives them; those rounded out of the window were not accepted."""
    if window.step == 0.0:
        return x
    g = np.round((window.g_target + x) / window.step) * window.step
    return np.asarray(np.clip(g - window.g_target, -window.tolerance, window.tolerance))
