"""Covariance of estimates from what each device adds to their errors."""

from collections.abc import Sequence

import numpy as np

from pcmsim.devices.laws import FloatArray


def clustered(parts: Sequence[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Joint covariance of estimates that share devices.

    Each part holds the numbers of its devices (n,), sorted and without repetition, and what each
    adds to the error of the q estimates of the part (n, q). The covariance is Σ_d h_d h_dᵀ, with
    n / (n - q) for what the estimates have used up; parts without devices in common are
    independent. Liang and Zeger, Biometrika 73, 13 (1986), doi:10.1093/biomet/73.1.13.

    >>> h = np.array([[0.1], [-0.1]])
    >>> clustered([(np.array([1, 2]), h), (np.array([2, 3]), h)]).round(4)
    array([[ 0.04, -0.02],
           [-0.02,  0.04]])
    """
    edges = np.cumsum([0, *(h.shape[1] for _, h in parts)])
    total = np.zeros((edges[-1], edges[-1]))
    for i, (left, h_left) in enumerate(parts):
        for j, (right, h_right) in enumerate(parts[: i + 1]):
            block = h_left.T @ h_left if i == j else _shared(left, h_left, right, h_right)
            block = block * np.sqrt(_inflation(h_left) * _inflation(h_right))
            total[edges[i] : edges[i + 1], edges[j] : edges[j + 1]] = block
            total[edges[j] : edges[j + 1], edges[i] : edges[i + 1]] = block.T
    return total


def _shared(
    left: FloatArray, h_left: FloatArray, right: FloatArray, h_right: FloatArray
) -> FloatArray:
    if left[-1] < right[0] or right[-1] < left[0]:
        return np.zeros((h_left.shape[1], h_right.shape[1]))
    _, at_left, at_right = np.intersect1d(left, right, assume_unique=True, return_indices=True)
    return np.asarray(h_left[at_left].T @ h_right[at_right])


def _inflation(h: FloatArray) -> float:
    n, q = h.shape
    return float(n / max(n - q, 1))
