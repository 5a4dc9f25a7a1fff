r"""Elastic distortions: every pixel is taken from a little beside its place.

.. math:: v'(r) = v(r + \alpha \, (G_\sigma * u)(r)), \qquad u_x, u_y \sim U(-1, 1),

with one pair of fields u per image, G a Gaussian of standard deviation sigma pixels that sums to
one, and linear interpolation between pixels. Beyond the edge both fields and images are zero.
Simard, Steinkraus and Platt, ICDAR 2003, doi:10.1109/ICDAR.2003.1227801.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import ndimage

from pcmsim.errors import UsageError

# Of the publication, found there for digits of 29 x 29 pixels.
ALPHA = 34.0
SIGMA = 4.0
AT_ONCE = 512  # images whose fields are in memory at the same time

UInt8 = np.ndarray[Any, np.dtype[np.uint8]]
Float64 = np.ndarray[Any, np.dtype[np.float64]]


def distort(
    images: UInt8, rng: np.random.Generator, alpha: float = ALPHA, sigma: float = SIGMA
) -> UInt8:
    """Distorted copies of square `images` of shape (n, pixels), each with fields of its own.

    `alpha` is the strength and `sigma` the smoothness, in pixels. With the published pair a pixel
    moves by about 1.4 pixels, root mean square along each axis, and less at the edge.
    Raises `UsageError` for images that are not square, alpha < 0 or sigma <= 0.

    >>> image = np.arange(16, dtype=np.uint8)[None]
    >>> bool((distort(image, np.random.default_rng(1), alpha=0.0) == image).all())
    True
    """
    side = _side(images)
    if not (math.isfinite(alpha) and alpha >= 0 and math.isfinite(sigma) and sigma > 0):
        raise UsageError(f"alpha = {alpha:g}, sigma = {sigma:g}; needed are alpha >= 0, sigma > 0")
    out = np.empty_like(images)
    for k in range(0, len(images), AT_ONCE):
        part = images[k : k + AT_ONCE]
        moves = alpha * _smooth(rng.uniform(-1.0, 1.0, (2, len(part), side, side)), sigma)
        out[k : k + AT_ONCE] = _moved(part.reshape(-1, side, side), moves).reshape(part.shape)
    return out


def _smooth(fields: Float64, sigma: float) -> Float64:
    """Gaussian filter of the last two axes, zero beyond the edge: K u K^T."""
    kernel = _kernel(fields.shape[-1], sigma)
    smooth: Float64 = kernel @ fields @ kernel.T
    return smooth


@lru_cache(maxsize=8)
def _kernel(side: int, sigma: float) -> Float64:
    kernel: Float64 = ndimage.gaussian_filter1d(np.eye(side), sigma, axis=0, mode="constant")
    return kernel


def _moved(images: UInt8, moves: Float64) -> UInt8:
    """Images (n, side, side) read at places `moves`, rows and columns, beside each pixel."""
    n, side, _ = images.shape
    pixel = np.arange(side, dtype=np.float64)
    places = np.empty((3, n, side, side))
    places[0] = np.arange(n, dtype=np.float64)[:, None, None]
    places[1] = moves[0] + pixel[:, None]
    places[2] = moves[1] + pixel
    values = ndimage.map_coordinates(images, places, np.float64, order=1, mode="grid-constant")
    moved: UInt8 = np.rint(values).astype(np.uint8)
    return moved


def _side(images: UInt8) -> int:
    if images.ndim != 2 or images.dtype != np.uint8:
        raise UsageError(
            f"images must be uint8 of shape (n, pixels); got {images.dtype} of shape {images.shape}"
        )
    side = math.isqrt(images.shape[1])
    if side * side != images.shape[1] or side == 0:
        raise UsageError(f"images have {images.shape[1]} pixels; distortion needs square images")
    return side
