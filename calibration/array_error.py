"""The error of matrix-vector products: arrays of measured devices beside arrays of simulated ones.

What a network sees of a chip is neither an exponent nor a spread but the error of a product. Pairs
of devices of random levels make random weights w = G+ - G-; an array of them multiplies random
inputs x, and its error is e = rms(y - y_ideal) / rms(y_ideal) with y = x W and the ideal weights
those of the targets. Drift is not compensated, so late errors test the mean decay and early ones
the spread.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp

from pcmsim.devices.laws import FloatArray

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
ROWS, COLUMNS = 8, 4
_INPUTS = 32
_DEVICES = 2 * ROWS * COLUMNS
# Devices of one level that are used, so that ten arrays are simulated for each that was measured.
MOST_DEVICES, FEWEST_ARRAYS = 400, 8


@dataclass(frozen=True)
class ArrayError:
    """Errors of random arrays at one time, relative to the root mean square of the ideal result.

    t_s             time since the last pulse [s]
    n               arrays of measured devices
    found_quantiles, predicted_quantiles
                    of the errors at `QUANTILES`, measured and simulated (5,)
    p_value         of the two-sample Kolmogorov-Smirnov test over the arrays
    """

    t_s: float
    n: int
    found_quantiles: FloatArray
    predicted_quantiles: FloatArray
    p_value: float


def array_errors(
    found: Mapping[float, FloatArray],
    predicted: Mapping[float, FloatArray],
    t_s: FloatArray,
    rng: np.random.Generator,
) -> tuple[ArrayError, ...]:
    """Compare arrays of measured and of simulated devices at every time.

    `found` and `predicted` hold reads by target (n, k) [µS], one row for each independent device;
    of `predicted` there should be `MOST_DEVICES` ten times over. No device is in two arrays, so the
    errors of the arrays are independent. The test takes `predicted` as the truth: if it comes from
    a set that was fitted, a true model is rejected somewhat too often, for its parameters have
    errors. Devices without a read at a time are left out there. Empty if fewer than
    `FEWEST_ARRAYS` arrays can be built at some time.
    """
    inputs = rng.standard_normal((_INPUTS, ROWS))
    errors = []
    for k, time_s in enumerate(t_s):
        reads = [(g, _present(rows[:, k])[:MOST_DEVICES]) for g, rows in found.items()]
        measured = _errors(reads, inputs, rng)
        if measured.size < FEWEST_ARRAYS:
            return ()
        simulated = np.concatenate(
            [_errors(pool, inputs, rng) for pool in _pools(reads, predicted, k)]
        )
        test = ks_2samp(measured, simulated, method="asymp")
        at_found, at_predicted = (np.quantile(e, QUANTILES) for e in (measured, simulated))
        p_value = float(test.pvalue)
        errors.append(ArrayError(float(time_s), measured.size, at_found, at_predicted, p_value))
    return tuple(errors)


def _pools(
    reads: list[tuple[float, FloatArray]], predicted: Mapping[float, FloatArray], k: int
) -> list[list[tuple[float, FloatArray]]]:
    """Groups of simulated devices, each with as many of every level as were measured."""
    count = min(predicted[g].shape[0] // max(rows.size, 1) for g, rows in reads)
    return [
        [(g, predicted[g][i * rows.size : (i + 1) * rows.size, k]) for g, rows in reads]
        for i in range(count)
    ]


def _errors(
    reads: list[tuple[float, FloatArray]], inputs: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Relative error of each array that the devices suffice for (arrays,)."""
    g = np.concatenate([rows for _, rows in reads])
    ideal = np.concatenate([np.full(rows.size, g_target) for g_target, rows in reads])
    arrays = g.size // _DEVICES
    order = rng.permutation(g.size)[: arrays * _DEVICES].reshape(2, arrays, ROWS, COLUMNS)
    result, aim = (inputs @ (x[order[0]] - x[order[1]]) for x in (g, ideal))
    square = np.sum((result - aim) ** 2, axis=(1, 2)) / np.sum(aim**2, axis=(1, 2))
    return np.asarray(np.sqrt(square))


def _present(reads: FloatArray) -> FloatArray:
    return np.asarray(reads[~np.isnan(reads)])
