"""Piano rolls and the three splits they come in: predict each step from the ones before it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pcmsim.datasets.batch import Batch, Kind
from pcmsim.datasets.dataset import Dataset
from pcmsim.errors import DataError, UsageError

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

    @property
    def kind(self) -> Kind:
        """Which keys sound next."""
        return "notes"

    def __len__(self) -> int:
        return len(self.rolls)

    def steps(self) -> list[int]:
        """Predicted steps of each roll: all but the first."""
        return [len(roll) - 1 for roll in self.rolls]

    def batch(self, order: Sequence[int], rng: np.random.Generator | None = None) -> Batch:
        """The rolls of these numbers, padded; nothing of them is drawn."""
        del rng
        return pad([self.rolls[i] for i in order])

    def first(self, count: int) -> "Split":
        """A split of the first `count` rolls."""
        return Split(self.name, self.rolls[:count])


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


def pad(rolls: Sequence[Roll]) -> Batch:
    r"""Batch of `rolls`, each of shape (T_i, 88): :math:`x_t` predicts :math:`x_{t+1}`.

    The first step of a roll is never predicted, so roll i has T_i - 1 steps in the mask.
    Raises `UsageError` without rolls or for a roll of fewer than two steps.

    >>> batch = pad([np.ones((3, 88), np.uint8), np.ones((5, 88), np.uint8)])
    >>> batch.inputs.shape, batch.mask.sum(axis=0).tolist()
    ((4, 2, 88), [2, 4])
    """
    lengths = [len(roll) - 1 for roll in rolls]
    if not lengths or min(lengths) < 1:
        raise UsageError(
            f"a batch needs rolls of at least 2 steps; got the lengths {[n + 1 for n in lengths]}"
        )
    inputs = np.zeros((max(lengths), len(lengths), KEYS), dtype=np.float32)
    targets = np.zeros_like(inputs)
    for i, (roll, length) in enumerate(zip(rolls, lengths, strict=True)):
        inputs[:length, i] = roll[:-1]
        targets[:length, i] = roll[1:]
    mask = np.arange(max(lengths))[:, None] < np.asarray(lengths)
    return Batch(inputs, targets, mask)
