"""One step of a whole network for one sample in one compiled call.

A call costs time for each array that it is given, more than the arithmetic of some layers; so all
layers lie one after the other in a few arrays, and `sizes` says where. One compiled form serves
every network of the same precision: the code of all units is part of it.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba

from pcmsim.networks import events, kernels
from pcmsim.networks.kernels import Array, Cells, Function, Memory, Rows, compiled
from pcmsim.networks.units import alif_kernel, asnu_kernel, li_snu_kernel, lif_kernel, snu_kernel

KINDS = ("dense", "leaky", "snu", "ssnu", "li_snu", "asnu", "lif", "alif")
DENSE, LEAKY, SNU, SSNU, LI_SNU, ASNU, LIF, ALIF = range(len(KINDS))
# Columns of `sizes`, a row to each layer; `RECURRENT` is one or zero.
INPUTS, UNITS, RECURRENT, KIND = range(4)
# Rows of `given` and of `state`, each as long as all layers together.
BIAS, THRESHOLD, DECAY, ADAPTATION_DECAY = range(4)
POTENTIAL, OUTPUT, ADAPTATION, CARRIED, TRACE = range(5)
STATES = 5

PARTS = (kernels, events, snu_kernel, li_snu_kernel, asnu_kernel, lif_kernel, alif_kernel)


def _part(function: Function) -> Function:
    """Translate `function` as `compiled` does, kept on disk only within the step.

    By itself it would outlive the code of other files that it calls.
    """
    translate: Any = numba.njit(nogil=True, error_model="numpy")
    result: Function = translate(function)
    return result


def stamp_of(parts: tuple[ModuleType, ...]) -> str:
    """Return the digest of the files of `parts`, whose code becomes part of the step."""
    files = (Path(str(part.__file__)).read_bytes() for part in parts)
    return hashlib.sha256(b"".join(files)).hexdigest()


@_part
def _add_product(x: Array, weight: Array, places: Array, total: Array) -> None:
    """Add x W to `total`, reading only the rows of W whose input is not zero."""
    found = events.write_places(x, places)
    whole = found - found % 4
    # Four rows at a time: `total` is then read and written a quarter as often.
    for k in range(0, whole, 4):
        i, j, m, n = places[k], places[k + 1], places[k + 2], places[k + 3]
        a, b, c, d = x[i], x[j], x[m], x[n]
        first, second, third, fourth = weight[i], weight[j], weight[m], weight[n]
        for u in range(total.size):
            total[u] += (a * first[u] + b * second[u]) + (c * third[u] + d * fourth[u])
    for k in range(whole, found):
        value, selected = x[places[k]], weight[places[k]]
        for u in range(total.size):
            total[u] += value * selected[u]


@_part
def _copy(source: Array, target: Array) -> None:
    # Assigning a slice would bring along code for shapes that differ, seconds of compiling.
    for k in range(target.size):
        target[k] = source[k]


@_part
def _leak(rows: Rows, memory: Memory, cells: Cells) -> None:
    one = rows.potential.dtype.type(1)
    for k in range(rows.potential.size):
        decay = cells.decay[k]
        rows.output[k] = decay * rows.output[k] + (one - decay) * rows.potential[k]


@_part
def _advance(kind: int, rows: Rows, memory: Memory, cells: Cells) -> None:
    if kind == DENSE:
        _copy(rows.potential, rows.output)
    elif kind == LEAKY:
        _leak(rows, memory, cells)
    elif kind == LI_SNU:
        li_snu_kernel.advance(rows, memory, cells)
    elif kind == ASNU:
        asnu_kernel.advance(rows, memory, cells)
    elif kind == LIF:
        lif_kernel.advance(rows, memory, cells)
    elif kind == ALIF:
        alif_kernel.advance(rows, memory, cells)
    else:
        snu_kernel.advance(rows, memory, cells)


def _made(stamp: str) -> Callable[..., None]:
    """Return the step, kept on disk for this `stamp`.

    Code on disk is renewed when its own file or its closure changes, and this code comes from
    other files too.
    """

    @compiled
    def step(
        x: Array,
        sizes: Array,
        shared: Array,
        weights: Array,
        given: Array,
        state: Array,
        places: Array,
    ) -> None:
        """Advance `state` by one step with inputs `x`."""
        _ = stamp
        source, used, first = x, 0, 0
        for layer in range(len(sizes)):
            inputs, units, kind = sizes[layer, INPUTS], sizes[layer, UNITS], sizes[layer, KIND]
            part = slice(first, first + units)
            rows = Rows(state[POTENTIAL][part], state[OUTPUT][part], state[ADAPTATION][part])
            memory = Memory(state[CARRIED][part], state[TRACE][part])
            _copy(given[BIAS][part], rows.potential)
            matrix = weights[used : used + inputs * units].reshape(inputs, units)
            _add_product(source, matrix, places, rows.potential)
            used += inputs * units
            if sizes[layer, RECURRENT]:
                matrix = weights[used : used + units * units].reshape(units, units)
                _add_product(rows.output, matrix, places, rows.potential)
                used += units * units
            cells = Cells(
                given[THRESHOLD][part],
                given[DECAY][part],
                given[ADAPTATION_DECAY][part],
                shared[0],
                shared[1],
                kind == SSNU,
                units,
            )
            _advance(kind, rows, memory, cells)
            source, first = rows.output, first + units

    return step


step = _made(stamp_of(PARTS))
