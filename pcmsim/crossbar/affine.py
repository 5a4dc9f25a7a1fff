"""Least squares of what a column showed against what it shows: the affine fit."""

import numpy as np

from pcmsim.crossbar.mapping import FloatArray

# Columns that show less than this over all calibration inputs show nothing [µS].
_SMALLEST_G = 1e-4


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
    a = np.where(power > _SMALLEST_G**2, covariance / np.maximum(power, _SMALLEST_G**2), 1.0)
    return a, wanted.mean(axis=0) - a * y.mean(axis=0)
