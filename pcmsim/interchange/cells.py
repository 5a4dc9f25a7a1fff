r"""Nodes of units as what a step of them needs: leak, gain and threshold of each unit.

Under the forward Euler step of dt a LIF and a LI node become v_t = (1 - leak) v_{t-1} + gain I_t,
with leak = dt / tau and gain = R dt / tau; an IF node has no leak, and gain = R dt. Units that are
made of a LI node weigh their currents with their leak here too, so that their gain is R alone.
"""

from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from pcmsim.errors import DataError
from pcmsim.interchange.walk import UnitNodes

FloatArray = NDArray[Any]


@dataclass(frozen=True)
class Cells:
    """Leak, gain and the time constants in steps, all (units,) in double precision.

    `gain` is what goes into the weights. `doubt` is the relative error that the precision of the
    file leaves; `threshold` is None for a readout that only leaks.
    """

    leak: FloatArray
    gain: FloatArray
    steps: FloatArray
    doubt: float
    threshold: FloatArray | None = None


def layer_cells(graph: nir.NIRGraph, layer: UnitNodes, units: int, step_s: float) -> Cells:
    """What the units of a layer do; raises `DataError` for what units here do not."""
    node = graph.nodes[layer.cell]
    sender = layer.cell if layer.spike is None else layer.spike
    key = "v_threshold" if layer.spike is None else "threshold"
    threshold = values_of(graph, sender, key, units)
    if layer.reset is None:
        _refuse_if_not_zero(graph, layer.cell, "v_reset", units, "units here fall back to zero")
    if isinstance(node, nir.IF):
        found = values_of(graph, layer.cell, "r", units)
        doubt, gain = _doubt(found), found.astype(np.float64) * step_s
        endless = np.full(units, np.inf)
        return Cells(np.zeros(units), _near_one(gain, doubt), endless, doubt, threshold)
    cells = leaky_cells(graph, layer.cell, units, step_s, threshold)
    if layer.reset is not None:
        _check_reset(graph, layer.reset, cells, threshold)
    return cells


def leaky_cells(
    graph: nir.NIRGraph, name: str, units: int, step_s: float, threshold: FloatArray | None = None
) -> Cells:
    """What a LIF or LI node does between spikes."""
    tau, r = (values_of(graph, name, key, units) for key in ("tau", "r"))
    _refuse_if_not_zero(graph, name, "v_leak", units, "units here rest at zero")
    if tau.min() < step_s * (1.0 - 1e-6):
        raise DataError(
            f"node {name}: tau reaches {tau.min():g} s, below the time step of {step_s:g} s; give "
            f"a shorter one"
        )
    doubt = max(_doubt(tau), _doubt(r))
    steps = tau.astype(np.float64) / step_s
    leak, gain = 1.0 / steps, r.astype(np.float64)
    if isinstance(graph.nodes[name], nir.LIF):
        gain = gain * leak
    return Cells(leak, _near_one(gain, doubt), steps, doubt, threshold)


def values_of(graph: nir.NIRGraph, name: str, key: str, units: int) -> FloatArray:
    """Numbers `key` of a node, (units,); one number in the file stands for all units."""
    array = finite(name, key, getattr(graph.nodes[name], key))
    if array.shape in ((), (1,)):
        return np.full(units, array.item(), array.dtype)
    if array.shape != (units,):
        raise DataError(f"node {name}: {key} has shape {array.shape}; ({units},) is needed")
    return array


def finite(name: str, key: str, values: Any) -> FloatArray:
    """The array `values`; raises `DataError` unless it holds finite floating-point numbers."""
    array = np.asarray(values)
    if array.dtype.kind != "f" or not np.all(np.isfinite(array)):
        raise DataError(f"node {name}: {key} must hold finite numbers; got {array.dtype} values")
    return array


def _refuse_if_not_zero(graph: nir.NIRGraph, name: str, key: str, units: int, why: str) -> None:
    if np.any(values_of(graph, name, key, units) != 0.0):
        raise DataError(f"node {name}: {key} is not zero; {why}")


def _check_reset(graph: nir.NIRGraph, name: str, cells: Cells, threshold: FloatArray) -> None:
    """A spike takes its threshold: scale R dt / tau = -threshold."""
    scale = values_of(graph, name, "scale", len(threshold))
    taken, wanted = (
        scale.astype(np.float64) * cells.gain * cells.leak,
        -threshold.astype(np.float64),
    )
    doubt = max(cells.doubt, _doubt(scale), _doubt(threshold))
    if np.any(np.abs(taken - wanted) > 4.0 * doubt * np.abs(wanted)):
        raise DataError(
            f"node {name}: scale takes {-taken.min():g} to {-taken.max():g} from a potential that "
            f"has spiked; units here lose their threshold, scale = -threshold tau / (r dt)"
        )


def _near_one(gain: FloatArray, doubt: float) -> FloatArray:
    """One where it should be, so that no weight moves."""
    return np.where(np.abs(gain - 1.0) <= doubt, 1.0, gain)


def _doubt(values: FloatArray) -> float:
    return 4.0 * float(np.finfo(values.dtype).eps)
