"""One door to all data sets."""

from collections.abc import Callable
from pathlib import Path

from pcmsim.config import Data
from pcmsim.datasets.bach import load_bach
from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.digits import load_digits
from pcmsim.datasets.ecg import load_ecg
from pcmsim.datasets.jena import load_jena
from pcmsim.datasets.jsb import load_jsb
from pcmsim.datasets.mnist import load_mnist
from pcmsim.datasets.penn_treebank import load_penn_treebank
from pcmsim.datasets.spiking_digits import load_spiking_digits
from pcmsim.datasets.synthetic import load_synthetic
from pcmsim.errors import UsageError

Progress = Callable[[int, int], None]

# Data sets that lie in files of the user's.
IN_FILES = ("jsb", "mnist", "ecg", "shd", "jena", "ptb")
# Which data set each setting of the section belongs to.
BELONGS = {
    "pieces": ("bach",),
    "steps": ("digits", "mnist", "shd", "jena", "ptb"),
    "max_rate": ("digits", "mnist"),
    "elastic": ("mnist",),
    "channels": ("shd",),
}


def load(
    data: Data,
    seed: int,
    path: Path | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Load the data set that the configuration names.

    `path` is a file or folder for those in files; `seed` draws the `synthetic` sequences and moves
    no split of the others; `progress(done, total)` is called per piece while `bach` is built.
    Raises `UsageError` for a setting that the data set does not have, `DataError` for its files.
    """
    if path is not None and data.name not in IN_FILES:
        raise UsageError(f"data.name = {data.name} reads no file; leave out the path {path}")
    check_settings(data)
    loaders: dict[str, Callable[[], Dataset]] = {
        "jsb": lambda: load_jsb(path),
        "bach": lambda: load_bach(data.pieces, progress),
        "synthetic": lambda: load_synthetic(seed),
        "digits": lambda: load_digits(data.steps, data.max_rate),
        "mnist": lambda: load_mnist(path, data.steps, data.max_rate, data.elastic),
        "ecg": lambda: load_ecg(path),
        "shd": lambda: load_spiking_digits(path, data.steps, data.channels),
        "jena": lambda: load_jena(path, data.steps),
        "ptb": lambda: load_penn_treebank(path, data.steps),
    }
    return loaders[data.name]()


def check_settings(data: Data) -> None:
    """Refuse settings of another data set. Raises `UsageError`."""
    for setting, names in BELONGS.items():
        default = Data.model_fields[setting].default
        if getattr(data, setting) != default and data.name not in names:
            raise UsageError(
                f"data.{setting} is for {' and '.join(names)}; leave it out with data.name = "
                f"{data.name}"
            )
