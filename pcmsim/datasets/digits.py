"""Small handwritten digits that come with scikit-learn: images without a file to fetch.

1,797 images of 8 x 8 pixels, the test part of Alpaydin and Kaynak's optical recognition of
handwritten digits, UCI Machine Learning Repository, doi:10.24432/C50P49.
"""

import hashlib
from typing import Any

import numpy as np

from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.rate_code import BRIGHTEST, UInt8, check_rate
from pcmsim.datasets.rate_coded import RateCoded
from pcmsim.errors import DataError
from pcmsim.rng import stream

DARKEST = 16  # ink of a full pixel in scikit-learn's copy
SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}
STEPS, MAX_RATE = 20, 6.0

Int64 = np.ndarray[Any, np.dtype[np.int64]]


def load_digits(steps: int = STEPS, max_rate: float = MAX_RATE, elastic: bool = False) -> Dataset:
    """Load the digits of scikit-learn, split 60/20/20 with the same shares of every class.

    The ink of a pixel, 0 to 16, becomes a brightness of 0 to 255, rounded. The split is always the
    same. Rate coding as in `RateCoded`; `elastic` touches training alone and, with the published
    strength, is far too much for 8 x 8 pixels.
    Raises `DataError` without scikit-learn, `UsageError` for a rate above one spike per step.
    """
    check_rate(steps, max_rate)
    images, labels = _read()
    parts = {
        name: RateCoded(name, images[i], labels[i], steps, max_rate, elastic and name == "train")
        for name, i in stratified(labels).items()
    }
    digest = hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    source = f"{len(images)} digits of scikit-learn (doi:10.24432/C50P49), SHA-256 {digest}"
    return Dataset("digits", parts["train"], parts["valid"], parts["test"], source)


def stratified(labels: Int64) -> dict[str, Int64]:
    """Numbers of the images of each split, rising; each class is cut 60/20/20 by itself."""
    order = stream(0, "datasets", "digits", "split").permutation(len(labels))
    parts: dict[str, list[Int64]] = {name: [] for name in SHARES}
    for label in np.unique(labels):
        mine = order[labels[order] == label]
        cuts = np.rint(np.cumsum(list(SHARES.values()))[:-1] * len(mine)).astype(int)
        for name, part in zip(SHARES, np.split(mine, cuts), strict=True):
            parts[name].append(part)
    return {name: np.sort(np.concatenate(part)) for name, part in parts.items()}


def _read() -> tuple[UInt8, Int64]:
    try:
        from sklearn import datasets
    except ModuleNotFoundError:
        raise DataError(
            "data.name = digits needs scikit-learn, which is not installed: "
            "pip install scikit-learn"
        ) from None
    ink, labels = datasets.load_digits(return_X_y=True)
    images: UInt8 = np.rint(ink * (BRIGHTEST / DARKEST)).astype(np.uint8)
    return images, labels.astype(np.int64)
