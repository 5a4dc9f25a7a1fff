"""Heartbeats and their waves: which part of the beat each step belongs to.

Two leads of the QT database (Laguna et al., Comput. Cardiol. 24, 673 (1997),
doi:10.1109/CIC.1997.648140), encoded as level crossings: a spike on one of two channels of a lead
when it rises or falls by a level. The files are those of Yin, Corradi and Bohte, Nat. Mach. Intell.
3, 905 (2021), doi:10.1038/s42256-021-00397-w, published with its code
(https://github.com/byin-cwi/Efficient-spiking-networks).
"""

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from pcmsim.datasets import cache
from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.found import check, find
from pcmsim.datasets.held_out import held_out
from pcmsim.datasets.labelled import UNLABELLED, Labelled
from pcmsim.datasets.layout import DAMAGE
from pcmsim.errors import DataError

SHA256 = {
    "QTDB_train.mat": "72d1a10c96f1540880447e07256835d66da419c0b34f3dff495731a7928c5bc7",
    "QTDB_test.mat": "916f11e21679a5b61988305bbb7cd1e6df8b34f1ed4a157a7a4e295d400ef232",
}
CHANNELS, CLASSES = 4, 6
REMEDY = "fetch both from https://github.com/byin-cwi/Efficient-spiking-networks"

Int8 = np.ndarray[Any, np.dtype[np.int8]]
Int64 = np.ndarray[Any, np.dtype[np.int64]]


def load_ecg(path: Path | None = None) -> Dataset:
    """Load the heartbeats: sequences of 1,301 steps with 4 channels and a class for each step.

    556 sequences to train with and 62 to choose by, a fixed tenth of the 618 published for
    training, and 141 to test. Inputs are `int8`, 1 where a channel spikes; the last step of channel
    0 is -1 in every sequence, as published. Steps without a class have the label -1.
    `path` is a folder with both files or one with a subfolder `ecg`, else PCMSIM_DATA names it.
    Raises `DataError` in one line for files that are missing, damaged or not the published ones.
    """
    paths = find("ecg", list(SHA256), path, REMEDY)
    for found in paths:
        check(found, cache.checksum(found), SHA256[found.name], "the file")
    (inputs, labels), tests = (read_beats(found) for found in paths)
    train, valid = held_out("ecg", len(inputs))
    return Dataset(
        "ecg",
        Labelled("train", tuple(inputs[train]), tuple(labels[train])),
        Labelled("valid", tuple(inputs[valid]), tuple(labels[valid])),
        Labelled("test", tuple(tests[0]), tuple(tests[1])),
        f"QT database as level crossings (doi:10.1038/s42256-021-00397-w), "
        f"SHA-256 {', '.join(SHA256.values())}",
    )


def read_beats(path: Path) -> tuple[Int8, Int64]:
    """Read `x` (sequences, steps, 4) and the numbers of the classes `y` marks, -1 for none.

    Raises `DataError` unless `x` holds -1, 0 and 1, and `y`, (sequences, steps, 6), at most one 1
    per step.
    """
    try:
        content = scipy.io.loadmat(path, variable_names=["x", "y"])
        x, y = content["x"], content["y"]
    except DAMAGE as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise DataError(f"{path} is damaged or no file of heartbeats: {reason:.150}") from error
    if x.ndim != 3 or x.shape[2] != CHANNELS or y.shape != (*x.shape[:2], CLASSES):
        raise DataError(
            f"{path}: x has shape {x.shape} and y {y.shape}; needed are "
            f"(sequences, steps, {CHANNELS}) and (sequences, steps, {CLASSES})"
        )
    if not np.isin(x, (-1, 0, 1)).all():
        raise DataError(f"{path}: x holds other values than -1, 0 and 1")
    if not np.isin(y, (0, 1)).all() or (y.sum(axis=2, dtype=np.int64) > 1).any():
        raise DataError(f"{path}: y must hold zeros and at most a single 1 for each step")
    labels = np.where(y.any(axis=2), y.argmax(axis=2), UNLABELLED)
    return x.astype(np.int8), labels.astype(np.int64)
