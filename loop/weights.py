"""A weight matrix on a crossbar: y = x W with W_ij = scale_j mean_p (G+_pij - G-_pij)."""

from dataclasses import dataclass

import numpy as np

from pcmsim.config import Hardware
from pcmsim.crossbar import check_weight, pair_targets, weight_scale
from pcmsim.devices import Values
from pcmsim.errors import UsageError
from pcmsim.loop.crossbar import Crossbar, FloatArray


@dataclass
class WeightArray:
    """A crossbar, and the weight per microsiemens of each of its columns.

    Raises `UsageError` for scales that are none.
    """

    crossbar: Crossbar
    g_max: float
    scale: FloatArray

    def __post_init__(self) -> None:
        columns = self.crossbar.shape[3]
        positive = np.isfinite(self.scale) & (self.scale > 0.0)
        if np.shape(self.scale) != (columns,) or not positive.all() or not self.g_max > 0.0:
            raise UsageError(
                f"the array needs {columns} scales above zero, one per column, and g_max above "
                f"zero; got scales of shape {np.shape(self.scale)} and g_max = {self.g_max:g} uS"
            )

    @classmethod
    def fitted(
        cls, crossbar: Crossbar, weight: FloatArray, values: Values, hardware: Hardware
    ) -> "WeightArray":
        """Scale the columns for `weight` as `hardware` says; nothing is written yet.

        Raises `UsageError` unless the weight is a matrix of finite numbers.
        """
        check_weight(weight)
        return cls(crossbar, values.g_max, weight_scale(weight, values, hardware))

    def targets(self, weight: FloatArray) -> FloatArray:
        """Target conductances [µS] of `weight`, clipped to what pairs can hold."""
        return pair_targets(weight, self.scale, self.g_max, self.crossbar.shape[1])

    def write(self, weight: FloatArray) -> None:
        """Program every device for `weight`."""
        self.crossbar.program(self.targets(weight))

    def multiply(self, x: FloatArray) -> FloatArray:
        """Measure x W; shapes (n, rows) -> (n, columns)."""
        y = self.crossbar.multiply(x)
        return np.asarray(y * self.scale.astype(y.dtype))

    def read(self) -> FloatArray:
        """Weights as one read of every device shows them, (rows, columns)."""
        g = self.crossbar.read()
        return np.asarray(pair_mean(g) * self.scale.astype(g.dtype))

    def change_g(self, change: FloatArray) -> FloatArray:
        """Change of G+ - G- [µS] that a change of the weights asks for."""
        return np.asarray(change / self.scale.astype(change.dtype))


def pair_mean(g: FloatArray) -> FloatArray:
    """mean_p (G+ - G-) [µS] of conductances (2, pairs, rows, columns).

    >>> pair_mean(np.array([[[[3.0]], [[5.0]]], [[[1.0]], [[1.0]]]]))
    array([[3.]])
    """
    return np.asarray((g[0] - g[1]).mean(axis=0))
