"""Voltage lost along the wires of an array, exactly, for linear devices.

Kirchhoff's current law at the row node a_ij and the column node b_ij of every cell, with wire
conductances g_w = 1/r between neighbours: rows are driven from the left, columns end in a virtual
ground below, far ends are open. The effective conductance is the current of column j per volt on
row i; outputs stay linear in the inputs, so it takes the place of the devices' own.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from pcmsim.crossbar.mapping import FloatArray

_US = 1e-6


def wired(g: FloatArray, wire_ohm: float) -> FloatArray:
    """Effective conductances [µS] of one array, (rows, columns), behind its wires.

    `wire_ohm` is the resistance of one wire segment between cells, and of the first one [Ω].
    One sparse factorisation of 2 x rows x columns unknowns, one solution per row.

    >>> wired(np.array([[100.0]]), wire_ohm=1.0).round(4).tolist()
    [[99.98]]
    """
    if wire_ohm == 0.0:
        return g
    rows, columns = g.shape
    wire = 1.0 / wire_ohm
    cells = (np.asarray(g, dtype=np.float64) * _US).ravel()
    along_row = _ladder(columns, first=True, last=False)
    along_column = _ladder(rows, first=False, last=True)
    row_nodes = wire * sparse.kron(sparse.eye_array(rows), along_row) + sparse.diags_array(cells)
    column_nodes = wire * sparse.kron(along_column, sparse.eye_array(columns))
    column_nodes = column_nodes + sparse.diags_array(cells)
    between = sparse.diags_array(-cells)
    system = sparse.block_array([[row_nodes, between], [between, column_nodes]], format="csc")
    driven = np.zeros((2 * cells.size, rows))
    driven[np.arange(rows) * columns, np.arange(rows)] = wire
    voltages = splu(system).solve(driven)
    currents = wire * voltages[-columns:]
    return np.asarray(currents.T / _US, dtype=g.dtype)


def _ladder(n: int, first: bool, last: bool) -> sparse.dia_array:
    """Laplacian of n nodes in a line, with a further segment to a terminal at either end."""
    degree = np.full(n, 2.0)
    degree[0] -= not first
    degree[-1] -= not last
    neighbours = np.full(n - 1, -1.0)
    return sparse.diags_array([neighbours, degree, neighbours], offsets=[-1, 0, 1], shape=(n, n))
