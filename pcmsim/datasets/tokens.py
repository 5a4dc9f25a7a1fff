"""A text as numbers of words: predict each word from the ones before it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pcmsim.datasets.batch import Batch, Kind
from pcmsim.datasets.labelled import side_by_side
from pcmsim.errors import UsageError

Int64 = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Tokens:
    """A text of one purpose, cut into pieces of `window` predicted words.

    `ids` are numbers of words of the `vocabulary`, shape (words,). Piece k begins with word
    k `window`; every word of the text but the first is predicted once, in the last piece there may
    be fewer. Raises `UsageError` for fewer than two words, numbers that are no word, no window.

    >>> text = Tokens("test", np.array([0, 1, 2, 1, 0]), ("a", "b", "c"), window=3)
    >>> text.batch([0, 1]).inputs.T.tolist(), text.batch([0, 1]).targets.T.tolist()
    ([[0, 1, 2], [1, 0, 0]], [[1, 2, 1], [0, 0, 0]])
    >>> text.steps()
    [3, 1]
    """

    name: str
    ids: Int64
    vocabulary: tuple[str, ...]
    window: int

    def __post_init__(self) -> None:
        if self.ids.ndim != 1 or len(self.ids) < 2 or self.window < 1:
            raise UsageError(
                f"split {self.name} has ids of shape {self.ids.shape} in windows of {self.window}; "
                f"needed are at least two words in a row and windows of at least one"
            )
        if self.ids.min() < 0 or self.ids.max() >= len(self.vocabulary):
            raise UsageError(
                f"split {self.name} has ids from {self.ids.min()} to {self.ids.max()}; the "
                f"vocabulary has {len(self.vocabulary)} words"
            )

    @property
    def kind(self) -> Kind:
        """The next word."""
        return "words"

    def __len__(self) -> int:
        return -(-(len(self.ids) - 1) // self.window)

    def steps(self) -> list[int]:
        """Predicted words of each piece."""
        return [min(self.window, len(self.ids) - 1 - k * self.window) for k in range(len(self))]

    def batch(self, order: Sequence[int], rng: np.random.Generator | None = None) -> Batch:
        """The pieces of these numbers, padded with word 0; nothing of them is drawn."""
        del rng
        starts = [k * self.window for k in order]
        pieces = [self.ids[k : k + self.window + 1] for k in starts]
        inputs = side_by_side([piece[:-1] for piece in pieces])
        targets = side_by_side([piece[1:] for piece in pieces])
        lengths = np.array([len(piece) - 1 for piece in pieces])
        return Batch(inputs, targets, np.arange(len(inputs))[:, None] < lengths, self.kind)

    def first(self, count: int) -> "Tokens":
        """A split of the first `count` pieces."""
        return replace(self, ids=self.ids[: count * self.window + 1])
