"""The recurrence over time in compiled form, forward and backward, for arrays in memory.

Arrays are (time, cells): batch and units laid out as one row, since no cell looks at another.
A row is worked through in blocks that stay in the cache for all of their time steps. One step is
`advance` (in time) or `retreat` (its gradient); `forward` and `backward` run them over time.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numba import types
from numba.extending import overload

Array = np.ndarray[Any, Any]
Function = TypeVar("Function", bound=Callable[..., Any])

BLOCK = 1024  # cells; the eight rows that a step touches then take 32 kB in single precision

LOG2_E = np.float32(1.0 / math.log(2.0))
LN_2 = np.float32(math.log(2.0))
LOWEST = np.float32(-87.0)  # exp of less leaves the normal numbers of single precision
HALF = np.float32(0.5)
C0, C1, C2, C3, C4, C5, C6, C7 = (np.float32(1.0 / math.factorial(k)) for k in range(8))


def compiled(function: Function) -> Function:
    """Translate `function` to machine code, kept on disk.

    Without fast-math: products and sums are rounded as in the plain loop, so that a potential
    close to the threshold falls on the same side of it in both.
    """
    translate: Any = numba.njit(cache=True, nogil=True, error_model="numpy")
    result: Function = translate(function)
    return result


def exponential(x: float) -> float:
    """Return exp(x) for x <= 0; in compiled code exact to rounding in double precision.

    In single precision a power of two times a Taylor polynomial on [-ln 2 / 2, ln 2 / 2], which
    unlike a library call compiles to vector instructions; the absolute error is below 1e-7.
    """
    return math.exp(x)


def _exponential_for(x: Any) -> Callable[[Any], Any]:
    return _exponential_single if x == types.float32 else _exponential_double


def _exponential_single(x: Any) -> Any:
    x = max(x, LOWEST)
    n = np.int32(x * LOG2_E - HALF)
    r = x - np.float32(n) * LN_2
    tail = C4 + r * (C5 + r * (C6 + r * C7))
    mantissa = C0 + r * (C1 + r * (C2 + r * (C3 + r * tail)))
    return mantissa * np.int32((n + np.int32(127)) << np.int32(23)).view(np.float32)


def _exponential_double(x: Any) -> Any:
    return math.exp(x)


overload(exponential)(_exponential_for)


@compiled
def advance(
    current: Array,
    carried: Array,
    threshold: Array,
    decay: float,
    slope: float,
    soft: bool,
    output: Array,
) -> None:
    """One step of a row of cells: turns `current` into the potential and writes `output`.

    `carried` is decay * s_{t-1} * (1 - y_{t-1}) on entry and the same of this step on return.
    """
    zero, one = current.dtype.type(0), current.dtype.type(1)
    if soft:
        for k in range(current.size):
            u = current[k] + carried[k]
            s = u if u > zero else slope * u
            z = s - threshold[k]
            e = exponential(-abs(z))
            y = (one if z > zero else e) / (one + e)
            current[k], output[k], carried[k] = s, y, decay * s * (one - y)
    else:
        for k in range(current.size):
            u = current[k] + carried[k]
            s = u if u > zero else slope * u
            y = one if s > threshold[k] else zero
            current[k], output[k], carried[k] = s, y, decay * s * (one - y)


@compiled
def retreat(
    potential: Array,
    output: Array,
    threshold: Array,
    output_gradient: Array,
    later: Array,
    decay: float,
    slope: float,
    soft: bool,
    current_gradient: Array,
    threshold_gradient: Array,
) -> None:
    """Gradient of one step: from dE/dy_t and `later` = dE/du_{t+1} to `current_gradient` = dE/du_t.

    `output_gradient` is dE/dy_t by all paths but the reset of the next step, which is added here;
    `threshold_gradient` is lowered by dE/dz_t, z = s - threshold.
    """
    zero, one = potential.dtype.type(0), potential.dtype.type(1)
    two, four = potential.dtype.type(2), potential.dtype.type(4)
    if soft:
        for k in range(potential.size):
            s, y, carried = potential[k], output[k], decay * later[k]
            dz = (output_gradient[k] - carried * s) * (y * (one - y))
            threshold_gradient[k] -= dz
            current_gradient[k] = (dz + carried * (one - y)) * (one if s > zero else slope)
    else:
        for k in range(potential.size):
            s, y, carried = potential[k], output[k], decay * later[k]
            e = exponential(-two * abs(s - threshold[k]))
            dz = (output_gradient[k] - carried * s) * (four * e / ((one + e) * (one + e)))
            threshold_gradient[k] -= dz
            current_gradient[k] = (dz + carried * (one - y)) * (one if s > zero else slope)


@compiled
def forward(
    currents: Array,
    carried: Array,
    threshold: Array,
    decay: float,
    slope: float,
    soft: bool,
    outputs: Array,
) -> None:
    """All steps: turns `currents` (time, cells) into potentials and writes `outputs`."""
    steps, cells = currents.shape
    for start in range(0, cells, BLOCK):
        part = slice(start, min(start + BLOCK, cells))
        for t in range(steps):
            row, answer = currents[t, part], outputs[t, part]
            advance(row, carried[part], threshold[part], decay, slope, soft, answer)


@compiled
def backward(
    potentials: Array,
    outputs: Array,
    threshold: Array,
    output_gradients: Array,
    decay: float,
    slope: float,
    soft: bool,
    current_gradients: Array,
    threshold_gradient: Array,
) -> None:
    """Gradient of `forward`; `current_gradients` has one row more, the last, which is zero."""
    steps, cells = potentials.shape
    for start in range(0, cells, BLOCK):
        part = slice(start, min(start + BLOCK, cells))
        for t in range(steps - 1, -1, -1):
            retreat(
                potentials[t, part],
                outputs[t, part],
                threshold[part],
                output_gradients[t, part],
                current_gradients[t + 1, part],
                decay,
                slope,
                soft,
                current_gradients[t, part],
                threshold_gradient[part],
            )
