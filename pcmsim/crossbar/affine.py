"""Least squares of what a column showed against what it shows: the affine fit."""

import numpy as np

from pcmsim.crossbar.mapping import FloatArray

# A column whose outputs vary by less than this, as a share of what they should, shows nothing.
_SMALLEST = 1e-6
_TINY = 1e-30


def affine_fit(y: FloatArray, wanted: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Factor a and offset b of each column, least squares of wanted = a y + b.

    Shapes (n, columns) -> (columns,). A column that shows nothing keeps the factor one.

    >>> y = np.array([[1.0], [2.0], [4.0]])
    >>> a, b = affine_fit(y, 3.0 * y + 0.5)
    >>> round(float(a[0]), 6), round(float(b[0]), 6)
    (3.0, 0.5)
    """
    y, wanted = y.astype(np.float64), wanted.astype(np.float64)
    centred = y - y.mean(axis=0)
    power = (centred**2).sum(axis=0)
    covariance = (centred * (wanted - wanted.mean(axis=0))).sum(axis=0)
    least = _SMALLEST**2 * ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=0) + _TINY
    a = np.where(power > least, covariance / np.maximum(power, least), 1.0)
    return a, wanted.mean(axis=0) - a * y.mean(axis=0)
