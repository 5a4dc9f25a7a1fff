"""Digital drift compensation: one factor per matrix or per column, from a few calibration reads.

At calibration the mean |output| over one-hot inputs is stored; later it is measured again, and
outputs are multiplied by the ratio, y ← (s_ref / s(t)) y. Le Gallo et al.,
doi:10.1109/TED.2018.2865352; Joshi et al., doi:10.1038/s41467-020-16108-9. What is common to all
devices is restored; the spread of drift exponents and the noise are not.
"""

from typing import Literal

import numpy as np

from pcmsim.crossbar.chip import Chip
from pcmsim.crossbar.mapping import FloatArray
from pcmsim.errors import UsageError

Kind = Literal["none", "global", "column"]
KINDS: tuple[Kind, ...] = ("none", "global", "column")
# A dead array reads next to nothing; the factor stays finite.
_SMALLEST_G = 1e-4

Readout = dict[str, FloatArray]


def readout(chip: Chip, kind: Kind) -> Readout:
    """Mean |G+ - G-| [µS] per matrix or per column, measured with the chip's own noise.

    Returns one array per matrix: shape (1,) for "global", (columns,) for "column"; none for "none".
    """
    if kind not in KINDS:
        raise UsageError(f"compensation {kind!r} is not known; choose from {', '.join(KINDS)}")
    if kind == "none":
        return {}
    axis = 0 if kind == "column" else None
    measured = {}
    for name, matrix in chip.matrices.items():
        g = np.abs(chip.weights(name) / matrix.scale)
        measured[name] = np.maximum(np.atleast_1d(g.mean(axis=axis)), _SMALLEST_G)
    return measured


def factors(reference: Readout, now: Readout) -> Readout:
    """Factors that outputs are multiplied with: s_ref / s(t).

    >>> factors({"w": np.array([2.0])}, {"w": np.array([1.0])})
    {'w': array([2.])}
    """
    return {name: reference[name] / now[name] for name in reference}


def compensated(y: FloatArray, name: str, factor: Readout) -> FloatArray:
    """Output of the matrix `name`, compensated; unchanged where there is no factor."""
    if name not in factor:
        return y
    return (y * factor[name]).astype(y.dtype)
