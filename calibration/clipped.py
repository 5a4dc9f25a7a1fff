"""Moments of Gaussian variables that cannot fall below zero.

Reads and programmed conductances are clipped at zero, which raises their mean and mixes their
covariance. Rosenbaum, J. R. Stat. Soc. B 23, 405 (1961), doi:10.1111/j.2517-6161.1961.tb00422.x.
"""

import numpy as np
from scipy.special import ndtr

from pcmsim.devices.laws import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


def clipped_mean(mean: FloatArray, std: FloatArray) -> FloatArray:
    """E[max(0, mean + std ξ)] with ξ ~ N(0, 1).

    >>> float(clipped_mean(0.0, 1.0).round(4))
    0.3989
    """
    mean, std = np.asarray(mean, dtype=np.float64), np.asarray(std, dtype=np.float64)
    z = mean / np.maximum(std, 1e-300)
    return np.asarray(np.where(std > 0.0, mean * ndtr(z) + std * _density(z), np.maximum(mean, 0)))


def clipped_square(mean: FloatArray, std: FloatArray) -> FloatArray:
    """E[max(0, mean + std ξ)²].

    >>> float(clipped_square(0.0, 1.0))
    0.5
    """
    mean, std = np.asarray(mean, dtype=np.float64), np.asarray(std, dtype=np.float64)
    z = mean / np.maximum(std, 1e-300)
    square = (mean**2 + std**2) * ndtr(z) + mean * std * _density(z)
    return np.asarray(np.where(std > 0.0, square, np.maximum(mean, 0.0) ** 2))


def clipped_product(std: FloatArray, correlation: FloatArray) -> FloatArray:
    """E[max(0, 1 + s_j ξ_j) max(0, 1 + s_k ξ_k)] for all pairs (k, k).

    `std` (k,) is positive; `correlation` (k, k) is that of the ξ, with ones on the diagonal.

    >>> clipped_product(np.array([1e-3, 1e-3]), np.array([[1.0, 0.5], [0.5, 1.0]])).round(7)
    array([[1.000001 , 1.0000005],
           [1.0000005, 1.000001 ]])
    """
    a = (1.0 / std)[:, None] + np.zeros_like(correlation)
    b, r = a.T, np.where(np.eye(std.size, dtype=bool), 0.0, correlation)
    root = np.sqrt(1.0 - r**2)
    both = ndtr(a) * ndtr(b) + _overlap(a, b, r)
    product = (a * b + r) * both
    product += a * _density(b) * ndtr((a - r * b) / root)
    product += b * _density(a) * ndtr((b - r * a) / root)
    product += root * _density(b) * _density((a - r * b) / root)
    product *= np.outer(std, std)
    np.fill_diagonal(product, clipped_square(np.ones_like(std), std))
    return np.asarray(product)


def _overlap(a: FloatArray, b: FloatArray, r: FloatArray) -> FloatArray:
    """Φ₂(a, b; r) - Φ(a) Φ(b), as the integral of the bivariate density over the correlation."""
    total = np.zeros_like(r)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        rho = 0.5 * r * (1.0 + node)
        left = 1.0 - rho**2
        exponent = -(a**2 - 2.0 * rho * a * b + b**2) / (2.0 * left)
        total += 0.5 * weight * r * np.exp(exponent) / (2.0 * np.pi * np.sqrt(left))
    return total


def _density(z: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-0.5 * np.minimum(np.abs(z), 40.0) ** 2) / np.sqrt(2.0 * np.pi))
