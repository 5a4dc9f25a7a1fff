"""Drift compensation measured on crossbars: one factor, one per column, or an affine fit.

"global" and "column" compare the mean |output| over one-hot inputs with that at a reference time
(Le Gallo et al., doi:10.1109/TED.2018.2865352). "affine" replays calibration inputs and fits, by
least squares in each column, y_ref = a y + b. What is common to the devices of a column comes back;
the spread of their drift exponents and noise does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pcmsim.crossbar import affine_fit
from pcmsim.errors import UsageError
from pcmsim.loop.crossbar import Crossbar, FloatArray
from pcmsim.loop.loop_network import Correction

Compensation = Literal["none", "global", "column", "affine"]
_SMALLEST_G = 1e-4


@dataclass(frozen=True)
class Reference:
    """What is remembered of the reference time, by matrix.

    `levels` mean |output| [µS] per column over one-hot inputs; `inputs` and `outputs` the
    calibration rows (n, rows) and what the array made of them (n, columns) [µS].
    """

    levels: Mapping[str, FloatArray]
    inputs: Mapping[str, FloatArray]
    outputs: Mapping[str, FloatArray]


def reference(
    arrays: Mapping[str, Crossbar], inputs: Mapping[str, FloatArray], repeats: int = 4
) -> Reference:
    """Measure the reference now; calibration outputs are the mean of `repeats` products."""
    outputs = {
        name: np.mean([arrays[name].multiply(x) for _ in range(repeats)], axis=0)
        for name, x in inputs.items()
    }
    return Reference(levels(arrays), inputs, outputs)


def levels(arrays: Mapping[str, Crossbar]) -> dict[str, FloatArray]:
    """Mean |output| [µS] of each column over one-hot inputs, measured."""
    found = {}
    for name, array in arrays.items():
        one_hot = np.eye(array.shape[2], dtype=np.float32)
        found[name] = np.maximum(np.abs(array.multiply(one_hot)).mean(axis=0), _SMALLEST_G)
    return found


def correction(
    arrays: Mapping[str, Crossbar],
    kind: Compensation,
    known: Reference,
    scales: Mapping[str, FloatArray],
) -> Correction:
    """Factor and offset of the outputs of each matrix, measured now against the reference.

    `scales` is the output per microsiemens of each column (weight scale times gain), for offsets.
    Raises `UsageError` for "affine" without calibration inputs of each array.
    """
    if kind == "none":
        return {}
    if kind == "affine":
        if missing := sorted(set(arrays) - set(known.inputs)):
            raise UsageError(f"affine compensation needs calibration inputs of {missing}")
        return {
            name: _affine(arrays[name].multiply(x), known.outputs[name], scales[name])
            for name, x in known.inputs.items()
        }
    now = levels(arrays)
    found = {}
    for name, level in known.levels.items():
        factor = level / now[name] if kind == "column" else level.mean() / now[name].mean()
        found[name] = (np.atleast_1d(factor), np.zeros(1))
    return found


def _affine(
    y: FloatArray, y_reference: FloatArray, scale: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Fit of y_reference = a y + b in each column; b in units of the scaled output."""
    a, b = affine_fit(y, y_reference)
    return a, b * scale
