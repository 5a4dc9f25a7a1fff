"""What the compiled kernels share: how they are translated, and the rows that they work on.

Arrays are (time, cells): batch and units laid out as one row. A row is worked through in blocks
that stay in the cache for all of their time steps. What a unit has not is None, and what its cells
share is a number: the compiler makes code of its own for each case. The kernels of one unit stand
in one file with all loops that call them, since code on disk is renewed when its file changes.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

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


class Rows(NamedTuple):
    """Currents that become potentials, outputs, traces or None: (time, cells) or (cells,)."""

    potential: Array
    output: Array
    adaptation: Any


class Memory(NamedTuple):
    """What one step leaves to the next, forward or backward: of the potential and of the trace."""

    carried: Array
    trace: Any


class Cells(NamedTuple):
    """What the cells of a row are given; `units` is the number of cells of one sample."""

    threshold: Array
    decay: Any
    adaptation_decay: Any
    strength: float
    slope: float
    soft: bool
    units: int


class Sums(NamedTuple):
    """Gradients of `Cells`, summed over time; None for what is not trained."""

    threshold: Array
    decay: Any
    adaptation_decay: Any


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


def at(values: Any, k: Any) -> Any:
    """Return element or part k of an array, or the number (or None) that stands for all of it."""
    return values[k] if isinstance(values, np.ndarray) else values


def _at_for(values: Any, k: Any) -> Callable[[Any, Any], Any]:
    return _element if isinstance(values, types.Array) else _whole


def _element(values: Any, k: Any) -> Any:
    return values[k]


def _whole(values: Any, k: Any) -> Any:
    return values


def tally(sums: Any, k: int, value: float) -> None:
    """Add `value` to element k of an array, or nothing to None."""
    if sums is not None:
        sums[k] += value


def _tally_for(sums: Any, k: Any, value: Any) -> Callable[[Any, Any, Any], None]:
    return _tally_nothing if isinstance(sums, types.NoneType) else _tally


def _tally_nothing(sums: Any, k: Any, value: Any) -> None:
    pass


def _tally(sums: Any, k: Any, value: Any) -> None:
    sums[k] += value


overload(exponential)(_exponential_for)
overload(at)(_at_for)
overload(tally)(_tally_for)


@compiled
def row(rows: Rows, t: int, part: slice) -> Rows:
    """Part of the rows of one step."""
    adaptation = at(at(rows.adaptation, t), part)
    return Rows(rows.potential[t][part], rows.output[t][part], adaptation)


@compiled
def memory_part(memory: Memory, part: slice) -> Memory:
    """Part of what steps leave to each other, not copied."""
    return Memory(memory.carried[part], at(memory.trace, part))


@compiled
def cells_part(cells: Cells, part: slice) -> Cells:
    """What some of the cells are given."""
    return Cells(
        cells.threshold[part],
        at(cells.decay, part),
        at(cells.adaptation_decay, part),
        cells.strength,
        cells.slope,
        cells.soft,
        cells.units,
    )


@compiled
def sums_part(sums: Sums, part: slice) -> Sums:
    """Gradients of some of the cells, not copied."""
    return Sums(sums.threshold[part], at(sums.decay, part), at(sums.adaptation_decay, part))
