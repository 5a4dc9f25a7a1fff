"""Maximum of the likelihood of ramps, its standard errors by clusters, and its held-out value."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from pcmsim.calibration.response_kernel import filtered
from pcmsim.calibration.response_laws import Form
from pcmsim.calibration.response_ramps import Ramps
from pcmsim.devices.laws import FloatArray

FOLDS = 5
_STEP = 1e-4  # of a working parameter, for derivatives
# Of the loss of one read, at which the optimiser stops: of a fit, and of one without a fold.
_FINE, _ROUGH = 1e-11, 1e-8
_BAD = 1e10


@dataclass(frozen=True)
class FormFit:
    """One form at its best.

    theta           working parameters (q,)
    covariance      of them, from the scores of the clusters (q, q)
    held_out        log likelihood of each cluster under a fit without its fold (c,)
    at_limit        working parameters that ended at a limit, or that nothing depends on; their
                    covariance is zero
    """

    form: Form
    theta: FloatArray
    covariance: FloatArray
    held_out: FloatArray
    at_limit: tuple[str, ...]
    converged: bool
    message: str


def fit_form(form: Form, ramps: Ramps, starts: Sequence[FloatArray], scale: float) -> FormFit:
    """Fit one form to all clusters, and five times without a fifth of them.

    Of several starts (q,) the one is taken that leads to the highest likelihood.
    """
    every = np.arange(ramps.clusters)
    found = [_best(form, ramps, start, scale, every) for start in starts]
    gains = [clusters_gain(form, ramps, theta).sum() for theta, _, _ in found]
    theta, converged, message = found[int(np.argmax(gains))]
    held_out = np.zeros(ramps.clusters)
    for fold in range(FOLDS):
        mine = every % FOLDS == fold
        without, _, _ = _best(form, ramps, theta, scale, every[~mine], _ROUGH)
        held_out[mine] = clusters_gain(form, ramps, without)[mine]
    covariance = _covariance(form, ramps, theta, scale)
    fixed = np.diag(covariance) == 0.0
    at_limit = tuple(name for name, at in zip(form.working, fixed, strict=True) if at)
    return FormFit(form, theta, covariance, held_out, at_limit, converged, message)


def clusters_gain(form: Form, ramps: Ramps, theta: FloatArray) -> FloatArray:
    """Log likelihood of each cluster (c,)."""
    gain, _ = filter_ramps(form, ramps, theta)
    return np.bincount(ramps.cluster.ravel(), gain.ravel(), ramps.clusters)


def filter_ramps(form: Form, ramps: Ramps, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log likelihood and standardised innovation of each step (n, p + 1)."""
    law = tuple(float(x) for x in form.law(theta).coefficients())
    return filtered(ramps.g, ramps.new_device, law, form.read_std(theta), form.device_std(theta))


def _best(
    form: Form,
    ramps: Ramps,
    start: FloatArray,
    scale: float,
    clusters: np.ndarray,
    precision: float = _FINE,
) -> tuple[FloatArray, bool, str]:
    used = int(np.isfinite(ramps.g).sum())
    units = _units(form, scale)

    def loss(x: FloatArray) -> float:
        gain = clusters_gain(form, ramps, x * units)[clusters].sum()
        return -float(gain) / used if np.isfinite(gain) else _BAD

    pulses = ramps.g.shape[1] - 1
    pairs = zip(form.bounds(scale, pulses), units, strict=True)
    bounds = [(low / unit, high / unit) for (low, high), unit in pairs]
    options = {"ftol": precision, "gtol": 1e-7, "maxiter": 500, "maxfun": 50_000}
    found = minimize(loss, start / units, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x) * units, bool(found.success), str(found.message)


def _units(form: Form, scale: float) -> FloatArray:
    lengths = ("mean_low", "rise", "memory")
    return np.array([scale if name in lengths else 1.0 for name in form.working])


def _covariance(form: Form, ramps: Ramps, theta: FloatArray, scale: float) -> FloatArray:
    """Sandwich H⁻¹ (Σ s sᵀ) H⁻¹ over clusters, with c / (c - 1) for their number.

    White, Econometrica 50, 1 (1982), doi:10.2307/1912526. A parameter at its bound, or one that
    nothing depends on, is left out and has no error.
    """
    step = _STEP * _units(form, scale)
    q = theta.size

    def scores(at: FloatArray) -> FloatArray:
        shift = np.diag(step)
        up = [clusters_gain(form, ramps, at + d) for d in shift]
        down = [clusters_gain(form, ramps, at - d) for d in shift]
        return np.array(up).T / (2.0 * step) - np.array(down).T / (2.0 * step)

    own = scores(theta)
    wide = 10.0 * step
    curvature = np.zeros((q, q))
    for a in range(q):
        d = np.zeros(q)
        d[a] = wide[a]
        curvature[a] = (scores(theta + d) - scores(theta - d)).sum(axis=0) / (2.0 * wide[a])
    curvature = -0.5 * (curvature + curvature.T)
    limits = np.array(form.bounds(scale, ramps.g.shape[1] - 1))
    near = np.minimum(theta - limits[:, 0], limits[:, 1] - theta) < 2.0 * step
    free = np.flatnonzero(~near & (np.diag(curvature) > 0.0))
    covariance = np.zeros((q, q))
    if free.size:
        inverse = np.linalg.pinv(curvature[np.ix_(free, free)], hermitian=True)
        middle = own[:, free].T @ own[:, free] * (len(own) / max(len(own) - 1, 1))
        covariance[np.ix_(free, free)] = inverse @ middle @ inverse
    return covariance
