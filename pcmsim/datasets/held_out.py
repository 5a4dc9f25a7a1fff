"""A fixed share of the training data, held out to choose by."""

import numpy as np

from pcmsim.errors import DataError
from pcmsim.rng import stream


def held_out(name: str, count: int, share: float = 0.1) -> tuple[list[int], list[int]]:
    """Numbers of the sequences to train with and of those held out, both rising.

    They depend on `name` and `count` alone, never on a seed of the user: what is compared is
    compared on the same sequences. At least one is held out and one is left, or `DataError`.

    >>> train, valid = held_out("doc", 20)
    >>> len(train), len(valid), sorted(train + valid) == list(range(20))
    (18, 2, True)
    """
    if count < 2:
        raise DataError(
            f"{name} has {count} sequences to train with; holding some out takes 2 or more"
        )
    order = stream(0, "datasets", name, "valid").permutation(count)
    held = max(1, round(share * count))
    return np.sort(order[held:]).tolist(), np.sort(order[:held]).tolist()
