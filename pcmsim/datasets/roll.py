"""Piano rolls and the three splits they come in."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pcmsim.errors import DataError

KEYS = 88
LOWEST_PITCH = 21  # MIDI pitch of key 0, the lowest A of a piano
FEWEST_STEPS = 2
SPLITS = ("train", "valid", "test")

Roll = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Split:
    """Sequences of one purpose.

    `name` is "train", "valid" or "test"; each roll is `uint8` of shape (steps, 88) and holds 1
    where a key sounds.
    """

    name: str
    rolls: tuple[Roll, ...]


@dataclass(frozen=True)
class Dataset:
    """Three splits; `source` says in one line where they come from, with a SHA-256."""

    name: str
    train: Split
    valid: Split
    test: Split
    source: str


def as_roll(values: Any, where: str) -> Roll:
    """Check one piano roll and make it `uint8` of shape (steps, 88).

    Raises `DataError`, naming `where`, unless `values` are zeros and ones in 88 columns and at
    least two rows, one to predict from and one to predict.

    >>> as_roll([[0.0] * 87 + [1.0], [1.0] + [0.0] * 87], "train[0]").nonzero()
    (array([0, 1]), array([87,  0]))
    """
    roll = np.asarray(values)
    if roll.ndim != 2 or roll.shape[1] != KEYS or len(roll) < FEWEST_STEPS:
        raise DataError(
            f"{where} has shape {roll.shape}; a roll is ({FEWEST_STEPS} or more steps, {KEYS} keys)"
        )
    if roll.dtype.kind not in "buif":
        raise DataError(f"{where} holds {roll.dtype} values; a roll holds only 0 and 1")
    wrong = roll[(roll != 0) & (roll != 1)]
    if wrong.size:
        raise DataError(f"{where} holds the value {wrong.flat[0]:g}; a roll holds only 0 and 1")
    return roll.astype(np.uint8)


def from_pitches(steps: Iterable[Iterable[int]]) -> Roll:
    """Roll of the MIDI pitches that sound at each step, shape (steps, 88).

    >>> from_pitches([[21, 108], []]).nonzero()
    (array([0, 0]), array([ 0, 87]))
    """
    chords = [np.asarray(list(step), dtype=np.int64) - LOWEST_PITCH for step in steps]
    roll = np.zeros((len(chords), KEYS), dtype=np.uint8)
    for row, keys in zip(roll, chords, strict=True):
        row[keys] = 1
    return roll


def dataset(name: str, splits: Mapping[str, Sequence[Roll]], source: str) -> Dataset:
    """Gather the rolls under "train", "valid" and "test"."""
    train, valid, test = (Split(key, tuple(splits[key])) for key in SPLITS)
    return Dataset(name, train, valid, test, source)


def fingerprint(splits: Mapping[str, Sequence[Roll]]) -> str:
    """SHA-256 of all rolls, their lengths and their order."""
    digest = hashlib.sha256()
    for key in SPLITS:
        for roll in splits[key]:
            digest.update(f"{key} {len(roll)}\n".encode())
            digest.update(np.ascontiguousarray(roll).tobytes())
    return digest.hexdigest()
