"""One door to all data sets."""

from collections.abc import Callable
from pathlib import Path

from pcmsim.config import Data
from pcmsim.datasets.bach import load_bach
from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.jsb import load_jsb
from pcmsim.datasets.synthetic import load_synthetic
from pcmsim.errors import UsageError


def load(
    data: Data,
    seed: int,
    path: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Load the data set that the configuration names.

    `path` is a file or folder for `jsb`; `seed` draws the `synthetic` sequences and moves no split
    of the others; `progress(done, total)` is called per piece while `bach` is built.
    Raises `UsageError` for a setting that the data set does not have, `DataError` for its files.
    """
    if path is not None and data.name != "jsb":
        raise UsageError(f"data.name = {data.name} reads no file; leave out the path {path}")
    if data.pieces is not None and data.name != "bach":
        raise UsageError(f"data.pieces is for bach; leave it out with data.name = {data.name}")
    if data.name == "jsb":
        return load_jsb(path)
    if data.name == "bach":
        return load_bach(data.pieces, progress)
    return load_synthetic(seed)
