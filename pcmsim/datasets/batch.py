"""Sequences of different lengths side by side: predict each step from the ones before it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pcmsim.datasets.roll import KEYS, Roll, Split
from pcmsim.errors import UsageError

Float32 = np.ndarray[Any, np.dtype[np.float32]]
Bool = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Batch:
    """B sequences padded at the end to the T predicted steps of the longest.

    `inputs` and `targets` have shape (T, B, 88); `targets[t]` is the step after `inputs[t]`.
    `mask`, shape (T, B), is true where a step is real; elsewhere both are zero.
    """

    inputs: Float32
    targets: Float32
    mask: Bool


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


def batches(split: Split, size: int, rng: np.random.Generator | None = None) -> Iterator[Batch]:
    """Batches of `size` sequences (the last may be smaller), each roll exactly once.

    With `rng` the order is drawn anew by every call, without it rolls come in the split's order.
    Rolls are not grouped by length: padding costs time, but which chorales share a gradient step
    stays a matter of chance alone. Raises `UsageError` if `size` is less than one.
    """
    if size < 1:
        raise UsageError(f"batch size must be at least 1; got {size}")
    order = np.arange(len(split.rolls)) if rng is None else rng.permutation(len(split.rolls))
    return (pad([split.rolls[i] for i in order[k : k + size]]) for k in range(0, len(order), size))
