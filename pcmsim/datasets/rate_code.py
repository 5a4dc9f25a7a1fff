r"""Images as trains of spikes: the brighter a pixel, the more often its input fires.

At each of S steps the input of a pixel v in 0..255 fires with probability

.. math:: p = \frac{v}{255} \frac{r}{S},

independently of all others, so that the brightest pixel fires r times in an image on average.
Rate-coded digits as in Wozniak et al., Nat. Mach. Intell. 2, 325 (2020),
doi:10.1038/s42256-020-0187-0, where S = 20 and r = 6 in the published example.
"""

from typing import Any

import numpy as np

from pcmsim.errors import UsageError

BRIGHTEST = 255
WORDS = 1 << 16  # a probability is a whole number of these parts
MOST_AT_ONCE = 1 << 18  # words drawn at a time, so that they stay in the cache

UInt8 = np.ndarray[Any, np.dtype[np.uint8]]


def encode(images: UInt8, steps: int, max_rate: float, rng: np.random.Generator) -> UInt8:
    """Spikes, 0 or 1, of shape (steps, n, pixels) for `images` of shape (n, pixels).

    Probabilities are rounded to multiples of 2^-16, at most 2^-17 off; 0 and 1 are exact. A longer
    train of the same generator starts like a shorter one of the same probabilities.
    Raises `UsageError` for fewer than one step and unless 0 <= `max_rate` <= `steps`.

    >>> encode(np.array([[0, 255]], np.uint8), 3, 3.0, np.random.default_rng(1)).tolist()
    [[[0, 1]], [[0, 1]], [[0, 1]]]
    """
    check_rate(steps, max_rate)
    if images.ndim != 2 or images.dtype != np.uint8:
        raise UsageError(
            f"images must be uint8 of shape (n, pixels); got {images.dtype} of shape {images.shape}"
        )
    threshold = _threshold_of_pixel(max_rate / steps)[images.ravel()]
    below = np.minimum(threshold, WORDS - 1).astype("<u2")
    certain = np.flatnonzero(threshold == WORDS)  # no word is below it, so these are set apart
    spikes = np.empty((steps, below.size), dtype=np.bool_)
    for step in spikes:
        for k in range(0, below.size, MOST_AT_ONCE):
            part = below[k : k + MOST_AT_ONCE]
            words = np.frombuffer(rng.bytes(2 * part.size), dtype="<u2")
            np.less(words, part, out=step[k : k + MOST_AT_ONCE])
        step[certain] = True
    return spikes.view(np.uint8).reshape(steps, *images.shape)


def check_rate(steps: int, max_rate: float) -> None:
    """Refuse, before any work, what is no probability of a spike."""
    if steps < 1:
        raise UsageError(f"steps = {steps}; a train of spikes has at least one step")
    if not 0 <= max_rate <= steps:
        raise UsageError(
            f"max_rate = {max_rate:g} spikes in {steps} steps; allowed are 0 to {steps}, "
            f"one spike per step at most: lower max_rate or add steps"
        )


def _threshold_of_pixel(p_max: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Number of words, of 2^16, at which a pixel of each brightness fires."""
    brightness = np.arange(BRIGHTEST + 1) / BRIGHTEST
    return np.rint(brightness * p_max * WORDS).astype(np.int64)
