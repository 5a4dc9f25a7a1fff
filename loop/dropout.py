"""Dropout that draws from a generator of its own."""

from collections.abc import Callable

import torch
from torch import Tensor


def dropout(probability: float, generator: torch.Generator) -> Callable[[Tensor], Tensor] | None:
    """Return a function that zeroes each value with `probability`, or None for probability 0.

    What is kept is divided by 1 - p, so that the mean stays (Srivastava et al., JMLR 15, 1929).

    >>> drop = dropout(0.5, torch.Generator().manual_seed(1))
    >>> sorted(set(drop(torch.ones(50)).tolist()))
    [0.0, 2.0]
    """
    if probability == 0.0:
        return None
    keep = 1.0 - probability

    def drop(values: Tensor) -> Tensor:
        kept = torch.empty_like(values).bernoulli_(keep, generator=generator)
        return values * kept / keep

    return drop
