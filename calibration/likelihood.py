"""How likely reads of devices are under a parameter set, device by device."""

from collections.abc import Iterable

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from pcmsim.calibration.records import DriftTraces, Instrument, IntArray
from pcmsim.calibration.set_moments import SetMoments
from pcmsim.calibration.tally import by_level
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.params import Values
from pcmsim.errors import DataError


def held_out_likelihood(
    parts: Iterable[DriftTraces],
    instrument: Instrument,
    values: Values,
    against: Values | None = None,
) -> tuple[float, float]:
    """Gaussian log pseudo-likelihood of drift traces under the laws of a set, and its error.

    ln p = -Σ (ln det 2πΣ + (y - μ)ᵀ Σ⁻¹ (y - μ)) / 2 over the rows, with mean and covariance that
    the set gives for the target of the row; missing reads are integrated out. With `against` it is
    the excess over the likelihood under that set, whose error is far smaller than that of either.
    The standard error is over devices, all programmings of one together. Fitted to n devices and
    evaluated on m others, p parameters lose about p m / 2 n against the true ones.

    `parts` is iterated once for each set. Rows are those that fits use. Raises `DataError` if there
    are none.
    """
    _, total = device_likelihoods(parts, instrument, values)
    if against is not None:
        total = total - device_likelihoods(parts, instrument, against)[1]
    return float(total.sum()), float(total.std() * np.sqrt(total.size))


def device_likelihoods(
    parts: Iterable[DriftTraces], instrument: Instrument, values: Values
) -> tuple[IntArray, FloatArray]:
    """Numbers of the devices, sorted (n,), and log pseudo-likelihood of all rows of each (n,)."""
    moments: SetMoments | None = None
    device, logs = [], []
    for part in parts:
        for rows in by_level(part):
            if moments is None:
                moments = SetMoments.of(values, instrument, part.t_s)
            device.append(rows.device)
            logs.append(_row_likelihoods(rows.g, *moments(rows.g_target)))
    if not device:
        raise DataError("drift: no device with a read is held out; a likelihood needs some")
    numbers, which = np.unique(np.concatenate(device), return_inverse=True)
    return numbers, np.bincount(which, weights=np.concatenate(logs))


def _row_likelihoods(rows: FloatArray, mean: FloatArray, covariance: FloatArray) -> FloatArray:
    """Log-likelihood of each row (n,), rows with the same reads missing at once."""
    patterns, which = np.unique(~np.isnan(rows), axis=0, return_inverse=True)
    logs = np.zeros(rows.shape[0])
    for i, present in enumerate(patterns):
        at = which == i
        factor = cho_factor(covariance[np.ix_(present, present)], lower=True)
        off = (rows[at][:, present] - mean[present]).T
        squares = np.sum(off * cho_solve(factor, off), axis=0)
        log_det = 2.0 * np.log(np.diag(factor[0])).sum()
        logs[at] = -0.5 * (squares + log_det + present.sum() * np.log(2.0 * np.pi))
    return logs
