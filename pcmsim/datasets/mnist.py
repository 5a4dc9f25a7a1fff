"""Handwritten digits of the MNIST database, as trains of spikes.

LeCun, Bottou, Bengio and Haffner, Proc. IEEE 86, 2278 (1998), doi:10.1109/5.726791.
"""

from pathlib import Path

import numpy as np

from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.found import check, find
from pcmsim.datasets.idx import UInt8, read_idx
from pcmsim.datasets.rate_code import check_rate
from pcmsim.datasets.rate_coded import RateCoded
from pcmsim.errors import DataError

# SHA-256 of the files without compression, since copies differ in how they are compressed.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
VALID = 10_000
STEPS, MAX_RATE = 20, 6.0  # of the published example, doi:10.1038/s42256-020-0187-0
REMEDY = "fetch the four files of the MNIST database (doi:10.1109/5.726791), gzipped or not"


def load_mnist(
    path: Path | None = None, steps: int = STEPS, max_rate: float = MAX_RATE, elastic: bool = False
) -> Dataset:
    """Load MNIST: 50,000 images of 784 pixels to train with, 10,000 to choose by, 10,000 to test.

    Those to choose by are the last 10,000 of the published training file. `path` is a folder with
    the four files or one with a subfolder `mnist`, else PCMSIM_DATA names it. For `steps`,
    `max_rate` and `elastic`, which touches training alone, see `RateCoded`.
    Raises `DataError` in one line for files that are missing, damaged or not the published ones,
    `UsageError` for a rate above one spike per step.
    """
    check_rate(steps, max_rate)
    paths = find("mnist", list(SHA256), path, REMEDY, packed=True)
    images, labels = _pair(*paths[:2])
    tests = _pair(*paths[2:])
    cut = len(images) - VALID
    return Dataset(
        "mnist",
        RateCoded("train", images[:cut], labels[:cut], steps, max_rate, elastic),
        RateCoded("valid", images[cut:], labels[cut:], steps, max_rate),
        RateCoded("test", *tests, steps, max_rate),
        f"MNIST (doi:10.1109/5.726791), SHA-256 of the contents {', '.join(SHA256.values())}",
    )


def _pair(
    image_path: Path, label_path: Path
) -> tuple[UInt8, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    images, labels = read_idx(image_path, axes=3), read_idx(label_path, axes=1)
    for path, file in ((image_path, images), (label_path, labels)):
        check(path, file.sha256, SHA256[path.name.removesuffix(".gz")], "its content")
    if len(images.values) != len(labels.values):
        raise DataError(
            f"{image_path} holds {len(images.values)} images, {label_path} "
            f"{len(labels.values)} labels"
        )
    return images.values.reshape(len(images.values), -1), labels.values.astype(np.int64)
