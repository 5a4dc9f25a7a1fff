"""Sequences side by side, and what training and evaluation ask of a split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np

from pcmsim.errors import UsageError

Array = np.ndarray[Any, Any]
Bool = np.ndarray[Any, np.dtype[np.bool_]]
# What a network is asked for: which keys sound, a class per step or per sequence, values, a word.
Kind = Literal["notes", "step_class", "sequence_class", "values", "words"]


@dataclass(frozen=True)
class Batch:
    """B sequences of T steps, padded at the end.

    `inputs` has shape (T, B, features), or (T, B) where they are numbers of words. `mask`, shape
    (T, B), is true where a step counts: where it is no padding and has a target. `targets` by kind:
    `notes` and `values` (T, B, outputs), `step_class` and `words` (T, B) whole numbers,
    `sequence_class` (B,) whole numbers.
    """

    inputs: Array
    targets: Array
    mask: Bool
    kind: Kind = "notes"


class Sequences(Protocol):
    """A split: sequences of one purpose ("train", "valid", "test"), made into batches."""

    @property
    def name(self) -> str:
        """Purpose: "train", "valid" or "test"."""
        ...

    @property
    def kind(self) -> Kind:
        """What a network is asked for."""
        ...

    def __len__(self) -> int: ...

    def steps(self) -> list[int]:
        """Steps of each sequence that a network takes."""
        ...

    def batch(self, order: Sequence[int], rng: np.random.Generator | None = None) -> Batch:
        """The sequences of these numbers; what is drawn for each batch anew comes from `rng`.

        Without `rng` the same sequence is the same in every call.
        """
        ...

    def first(self, count: int) -> Self:
        """A split of the first `count` sequences."""
        ...


def batches(split: Sequences, size: int, rng: np.random.Generator | None = None) -> Iterator[Batch]:
    """Batches of `size` sequences (the last may be smaller), each sequence exactly once.

    With `rng` the order is drawn anew by every call, without it they come in the split's order.
    Sequences are not grouped by length: padding costs time, but which of them share a gradient step
    stays a matter of chance alone. Raises `UsageError` if `size` is less than one.
    """
    if size < 1:
        raise UsageError(f"batch size must be at least 1; got {size}")
    order = np.arange(len(split)) if rng is None else rng.permutation(len(split))
    starts = range(0, len(order), size)
    return (split.batch(order[k : k + size].tolist(), rng) for k in starts)
