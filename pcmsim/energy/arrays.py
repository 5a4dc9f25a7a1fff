"""Energy of products on arrays of devices: what flows through them, and what surrounds them.

An input x within -1 ... 1 is a pulse of the length |x| t at the voltage V, so a device takes
V² G |x| t. Converters and drivers take far more: a figure for each column of a tile, which
includes the devices. It does not fall with the rate of events, as digital accumulates do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcmsim.config import Hardware
from pcmsim.crossbar.mapping import pair_targets, tiles, weight_scale
from pcmsim.devices import Values
from pcmsim.energy.prices import Arrays

FloatArray = NDArray[Any]
_PJ = 1e6  # of V² µS s


@dataclass(frozen=True)
class ArrayEnergy:
    """Of a step's products with a matrix [pJ]: its devices alone, and all; of writing it once."""

    device_pj: float
    product_pj: float
    program_pj: float

    def __add__(self, other: "ArrayEnergy") -> "ArrayEnergy":
        return ArrayEnergy(
            self.device_pj + other.device_pj,
            self.product_pj + other.product_pj,
            self.program_pj + other.program_pj,
        )


def array_energy(
    weight: FloatArray,
    size: FloatArray,
    values: Values,
    hardware: Hardware,
    arrays: Arrays,
    products: int = 1,
) -> ArrayEnergy:
    """Energy for `weight` (inputs, columns) and the mean absolute input `size` (inputs,).

    Where a step takes several `products` with the matrix, `size` is the sum over them.
    Conductances are the targets of the weights, and the mean in RESET where a device is left there.
    Raises `UsageError` for a weight that cannot be mapped.
    """
    scale = weight_scale(weight, values, hardware)
    g = pair_targets(weight, scale, values.g_max, hardware.pairs, np.float64)
    if values.zero_target == "reset":
        g[g == 0.0] = values.reset_median * np.exp(0.5 * values.reset_log_std**2)
    read = arrays.read_voltage_v.value**2 * arrays.read_s.value * _PJ
    parts = tiles((weight.shape[0], weight.shape[1]), hardware.tile_rows, hardware.tile_columns)
    columns = sum(tile.columns[1] - tile.columns[0] for tile in parts) * hardware.pairs
    return ArrayEnergy(
        device_pj=float(np.sum(g, axis=(0, 1, 3)) @ size) * read,
        product_pj=products * columns * arrays.column_pj.value,
        program_pj=g.size * arrays.program_pj.value,
    )
