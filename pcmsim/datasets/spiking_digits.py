"""Spoken digits as the spikes of a model cochlea: the Spiking Heidelberg Digits.

Ten digits in English and ten in German, 700 units, 8,156 recordings to train with and 2,264 to
test, two of the twelve speakers among the latter alone. Cramer, Stradmann, Schemmel and Zenke, IEEE
Trans. Neural Netw. Learn. Syst. 33, 2744 (2022), doi:10.1109/TNNLS.2020.3044364.
"""

import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pcmsim.datasets import cache
from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.found import find
from pcmsim.datasets.held_out import held_out
from pcmsim.datasets.labelled import Labelled
from pcmsim.errors import DataError, UsageError

RECORDINGS = {"shd_train.h5": 8156, "shd_test.h5": 2264}
UNITS, CLASSES = 700, 20
DURATION_S = 1.4  # no recording is longer
STEPS = 100
MOST_BYTES = 2**32  # of one file in bins: 752 steps of all units for the published one
REMEDY = "fetch and unpack them (doi:10.1109/TNNLS.2020.3044364)"
# What HDF5 raises on damaged files and other contents.
DAMAGE = (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, MemoryError)

log = logging.getLogger(__name__)
UInt8 = np.ndarray[Any, np.dtype[np.uint8]]
Int64 = np.ndarray[Any, np.dtype[np.int64]]


def load_spiking_digits(
    path: Path | None = None, steps: int = STEPS, channels: int = UNITS
) -> Dataset:
    """Load the recordings as sequences of `steps` bins of 1.4 s / `steps` (14 ms if 100).

    Inputs are `uint8` (steps, channels): 1 where a unit of the channel fires in the bin, once or
    more often; a channel is 700 / `channels` neighbouring units. All recordings have as many steps,
    silent at the end; what fires after 1.4 s is left out. With all units, 100 steps take 730 MB.
    A fixed tenth of the training file is held out to choose by. `path` is a folder with both files
    or one with a subfolder `shd`, else PCMSIM_DATA names it.
    Raises `DataError` in one line for files that are missing, damaged or hold anything else,
    `UsageError` for no steps and for channels that do not divide 700.
    """
    if steps < 1:
        raise UsageError(f"steps = {steps}; spoken digits need at least one")
    if channels < 1 or UNITS % channels:
        raise UsageError(f"channels = {channels}; allowed are divisors of {UNITS}, such as 140")
    paths = find("shd", list(RECORDINGS), path, REMEDY)
    (inputs, labels), (tests, test_labels) = (read_recordings(f, steps, channels) for f in paths)
    train, valid = held_out("shd", len(inputs))
    checksums = ", ".join(cache.checksum(file) for file in paths)
    return Dataset(
        "shd",
        Labelled("train", tuple(inputs[i] for i in train), tuple(labels[train])),
        Labelled("valid", tuple(inputs[i] for i in valid), tuple(labels[valid])),
        Labelled("test", tuple(tests), tuple(test_labels)),
        f"Spiking Heidelberg Digits (doi:10.1109/TNNLS.2020.3044364), SHA-256 {checksums}",
    )


def read_recordings(path: Path, steps: int, channels: int) -> tuple[list[UInt8], Int64]:
    """Binned recordings (steps, channels) of one file, and the class of each.

    The file holds `spikes/times` [s] and `spikes/units`, one array of any length per recording,
    and `labels`. Raises `DataError` where they do not fit together or leave their ranges, and
    `UsageError` for more bins than `MOST_BYTES` hold.
    """
    try:
        with h5py.File(path, "r") as file:
            labels = np.asarray(file["labels"][()])
            times, units = (list(file[f"spikes/{key}"][()]) for key in ("times", "units"))
    except DAMAGE as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise DataError(f"{path} is damaged or no file of spikes: {reason:.150}") from error
    if labels.dtype.kind not in "iu" or labels.shape != (len(times),) or len(units) != len(times):
        raise DataError(
            f"{path} holds {len(times)} arrays of times, {len(units)} of units and labels "
            f"{labels.dtype} {labels.shape}; needed is one of each, labels whole numbers"
        )
    if not len(labels) or labels.min() < 0 or labels.max() >= CLASSES:
        raise DataError(f"{path}: labels must be 0 to {CLASSES - 1}, and at least one")
    if len(labels) * steps * channels > MOST_BYTES:
        raise UsageError(
            f"data.steps = {steps}: {len(labels)} recordings of {channels} channels take "
            f"{len(labels) * steps * channels:,} bytes; {MOST_BYTES:,} are allowed: at most "
            f"{MOST_BYTES // (len(labels) * channels)} steps, or fewer channels"
        )
    if len(labels) != RECORDINGS.get(path.name, len(labels)):
        log.warning("%s holds %d recordings of %d", path, len(labels), RECORDINGS[path.name])
    spikes = [
        _binned(t, u, steps, channels, f"{path}: recording {i}")
        for i, (t, u) in enumerate(zip(times, units, strict=True))
    ]
    return spikes, labels.astype(np.int64)


def _binned(times_s: Any, units: Any, steps: int, channels: int, where: str) -> UInt8:
    # Half precision, as published, is 1 ms near the end; a bin is found in double precision.
    when, unit = np.asarray(times_s), np.asarray(units)
    if when.ndim != 1 or when.shape != unit.shape or unit.dtype.kind not in "iu":
        raise DataError(
            f"{where} has times {when.shape} and units {unit.dtype} {unit.shape}; needed is a "
            f"unit, a whole number, for each time"
        )
    if when.dtype.kind != "f" or not np.isfinite(when).all() or (when < 0).any():
        raise DataError(f"{where}: times must be seconds from 0 on")
    if ((unit < 0) | (unit >= UNITS)).any():
        raise DataError(f"{where}: units must be 0 to {UNITS - 1}")
    step = np.floor(when.astype(np.float64) * (steps / DURATION_S))
    inside = step < steps
    channel = unit[inside].astype(np.int64) // (UNITS // channels)
    spikes = np.zeros((steps, channels), dtype=np.uint8)
    spikes[step[inside].astype(np.int64), channel] = 1
    return spikes
