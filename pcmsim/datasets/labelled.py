"""Sequences with classes: one for each step, or one for the whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pcmsim.datasets.batch import Array, Batch, Kind
from pcmsim.errors import UsageError

UNLABELLED = -1


@dataclass(frozen=True)
class Labelled:
    """Sequences of one purpose with their classes.

    `name` is "train", "valid" or "test". Each of `inputs` has shape (steps, features). Each of
    `labels` is a whole number from 0 for each step, shape (steps,), with -1 where a step has none,
    or one number for the sequence, shape (). Raises `UsageError` where these do not fit together.

    >>> quiet = Labelled("test", (np.zeros((5, 4)),), (np.array([-1, 0, 2, 2, 1]),))
    >>> quiet.kind, quiet.batch([0]).mask[:, 0].tolist()
    ('step_class', [False, True, True, True, True])
    """

    name: str
    inputs: tuple[Array, ...]
    labels: tuple[Array, ...]

    def __post_init__(self) -> None:
        if not self.inputs or len(self.inputs) != len(self.labels):
            raise UsageError(
                f"split {self.name} has {len(self.inputs)} inputs and {len(self.labels)} labels; "
                f"there must be as many, and at least one"
            )
        per_step = np.ndim(self.labels[0]) == 1
        for i, (x, label) in enumerate(zip(self.inputs, self.labels, strict=True)):
            wanted = (len(x),) if per_step else ()
            if np.ndim(x) != 2 or np.shape(label) != wanted:
                raise UsageError(
                    f"{self.name}[{i}]: inputs {np.shape(x)} and labels {np.shape(label)}; inputs "
                    f"are (steps, features), and labels one for each step or one for all"
                )

    @property
    def kind(self) -> Kind:
        """Whether each step has a class, or each sequence."""
        return "step_class" if np.ndim(self.labels[0]) == 1 else "sequence_class"

    def __len__(self) -> int:
        return len(self.inputs)

    def steps(self) -> list[int]:
        """Steps of each sequence, labelled or not."""
        return [len(x) for x in self.inputs]

    def batch(self, order: Sequence[int], rng: np.random.Generator | None = None) -> Batch:
        """The sequences of these numbers, padded with zeros; nothing of them is drawn."""
        del rng
        inputs = side_by_side([self.inputs[i] for i in order])
        labels = [self.labels[i] for i in order]
        if self.kind == "sequence_class":
            lengths = np.array([len(self.inputs[i]) for i in order])
            mask = np.arange(len(inputs))[:, None] < lengths
            return Batch(inputs, np.array(labels, dtype=np.int64), mask, self.kind)
        targets = side_by_side([label + 1 for label in labels]) - 1
        mask = targets != UNLABELLED
        return Batch(inputs, np.where(mask, targets, 0).astype(np.int64), mask, self.kind)

    def first(self, count: int) -> "Labelled":
        """A split of the first `count` sequences."""
        return Labelled(self.name, self.inputs[:count], self.labels[:count])


def side_by_side(sequences: Sequence[Array]) -> Array:
    """Sequences (T_i, ...) as one array (T, B, ...), padded at the end with zeros.

    >>> side_by_side([np.ones(1), np.ones(2)]).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    longest = max(len(sequence) for sequence in sequences)
    first = np.asarray(sequences[0])
    out = np.zeros((longest, len(sequences), *first.shape[1:]), dtype=first.dtype)
    for i, sequence in enumerate(sequences):
        out[: len(sequence), i] = sequence
    return out
