"""Sequences with values to predict at each step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pcmsim.datasets.batch import Array, Batch, Kind
from pcmsim.datasets.labelled import side_by_side
from pcmsim.errors import UsageError


@dataclass(frozen=True)
class Regression:
    """Sequences of one purpose with targets (steps, outputs) for inputs (steps, features).

    Each of `mask`, shape (steps,), is true where a step has a target. Targets are standardised:
    `scale` of the original `unit` is one, so that a mean squared error e of the network is
    `scale` sqrt(e) in that unit. Raises `UsageError` where shapes do not fit together.

    >>> x, y = np.zeros((5, 3), np.float32), np.ones((5, 1), np.float32)
    >>> split = Regression("test", (x,), (y,), (np.arange(5) > 0,), scale=8.6, unit="degC")
    >>> split.batch([0, 0]).targets.shape, split.batch([0]).mask.sum()
    ((5, 2, 1), np.int64(4))
    """

    name: str
    inputs: tuple[Array, ...]
    targets: tuple[Array, ...]
    mask: tuple[Array, ...]
    scale: float = 1.0
    unit: str = "1"

    def __post_init__(self) -> None:
        counts = (len(self.inputs), len(self.targets), len(self.mask))
        if not self.inputs or len(set(counts)) > 1:
            raise UsageError(
                f"split {self.name} has {counts[0]} inputs, {counts[1]} targets and {counts[2]} "
                f"masks; there must be as many, and at least one"
            )
        for i, (x, y, seen) in enumerate(zip(self.inputs, self.targets, self.mask, strict=True)):
            if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or seen.shape != (len(x),):
                raise UsageError(
                    f"{self.name}[{i}]: inputs {x.shape}, targets {y.shape} and mask {seen.shape}; "
                    f"needed are (steps, features), (steps, outputs) and (steps,)"
                )

    @property
    def kind(self) -> Kind:
        """Values at each step."""
        return "values"

    def __len__(self) -> int:
        return len(self.inputs)

    def steps(self) -> list[int]:
        """Steps of each sequence, with a target or without."""
        return [len(x) for x in self.inputs]

    def batch(self, order: Sequence[int], rng: np.random.Generator | None = None) -> Batch:
        """The sequences of these numbers, padded with zeros; nothing of them is drawn."""
        del rng
        inputs, targets, mask = (
            side_by_side([part[i] for i in order])
            for part in (self.inputs, self.targets, self.mask)
        )
        return Batch(inputs, targets, mask, self.kind)

    def first(self, count: int) -> "Regression":
        """A split of the first `count` sequences."""
        parts = (self.inputs[:count], self.targets[:count], self.mask[:count])
        return replace(self, inputs=parts[0], targets=parts[1], mask=parts[2])
