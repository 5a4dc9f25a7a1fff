"""Matrix products of rows that are mostly zero: piano rolls and spikes.

Adding the few rows of the matrix that an input selects beats the full product as long as about
one input in eight or fewer is not zero; results differ from the full product by rounding alone.
"""

import numpy as np
import torch
from torch import Tensor

from pcmsim.networks.kernels import Array, compiled

SPARSE = 1.0 / 8.0  # largest share of inputs that are not zero for which adding rows is used


def is_sparse(x: Tensor) -> bool:
    """Return whether at most the share `SPARSE` of `x` (contiguous, on the CPU) is not zero."""
    return bool(_count(_array(x).reshape(-1)) <= SPARSE * x.numel())


def write_product(
    x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor, sparse: bool
) -> None:
    """Write x W + bias to `out`: rows (rows, inputs) times (inputs, outputs)."""
    if sparse:
        start = weight.new_zeros(weight.shape[1]) if bias is None else bias
        _gather(_array(x), _array(weight), _array(start), out.numpy())
    elif bias is None:
        torch.mm(x, weight, out=out)
    else:
        torch.addmm(bias, x, weight, out=out)


def add_outer(x: Tensor, d: Tensor, out: Tensor, sparse: bool) -> None:
    """Add the sum over rows of the outer products of `x` and `d` to `out` (inputs, outputs)."""
    if sparse:
        _scatter(_array(x), _array(d), out.numpy())
    else:
        out.addmm_(x.T, d)


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().contiguous().numpy()
    return array


@compiled
def _count(x: Array) -> int:
    found = 0
    for k in range(x.size):
        found += x[k] != 0
    return found


@compiled
def write_places(row: Array, places: Array) -> int:
    """Write to `places` where `row` is not zero and return how many those are."""
    found = 0
    for i in range(row.size):
        # Written in any case and kept if counted: a branch here would often be mispredicted.
        places[found] = i
        found += row[i] != 0
    return found


@compiled
def _gather(x: Array, weight: Array, start: Array, out: Array) -> None:
    places = np.empty(x.shape[1], np.int64)
    total = np.empty(out.shape[1], out.dtype)
    for r in range(x.shape[0]):
        found = write_places(x[r], places)
        for n in range(total.size):
            total[n] = start[n]
        for k in range(found):
            value, selected = x[r, places[k]], weight[places[k]]
            for n in range(total.size):
                total[n] += value * selected[n]
        for n in range(total.size):
            out[r, n] = total[n]


@compiled
def _scatter(x: Array, d: Array, out: Array) -> None:
    places = np.empty(x.shape[1], np.int64)
    for r in range(x.shape[0]):
        found = write_places(x[r], places)
        added = d[r]
        for k in range(found):
            value, selected = x[r, places[k]], out[places[k]]
            for n in range(added.size):
                selected[n] += value * added[n]
