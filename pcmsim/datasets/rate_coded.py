"""Images with classes that a network sees as trains of spikes, drawn for each batch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pcmsim.datasets.batch import Array, Batch, Kind
from pcmsim.datasets.elastic import distort
from pcmsim.datasets.rate_code import UInt8, check_rate, encode
from pcmsim.errors import UsageError
from pcmsim.rng import stream


@dataclass(frozen=True)
class RateCoded:
    """Images of one purpose with one class each, shown for `time_steps` steps.

    `images` is `uint8` (n, pixels) and `labels` whole numbers (n,). The brightest pixel fires
    `max_rate` times on average (see `pcmsim.datasets.rate_code`). With `elastic`, images are
    distorted anew (see `pcmsim.datasets.elastic`) in every batch that is drawn with a generator.
    Raises `UsageError` where shapes do not fit or a spike would have a probability above one.

    >>> bright = np.full((3, 4), 255, np.uint8)
    >>> split = RateCoded("test", bright, np.array([1, 0, 1]), time_steps=5, max_rate=5.0)
    >>> batch = split.batch([2, 1])
    >>> batch.inputs.shape, batch.targets.tolist(), batch.inputs.mean()
    ((5, 2, 4), [1, 0], np.float64(1.0))
    """

    name: str
    images: UInt8
    labels: Array
    time_steps: int
    max_rate: float
    elastic: bool = False

    def __post_init__(self) -> None:
        check_rate(self.time_steps, self.max_rate)
        if self.images.ndim != 2 or self.labels.shape != (len(self.images),) or not len(self):
            raise UsageError(
                f"split {self.name}: images {self.images.shape} and labels {self.labels.shape}; "
                f"images are (n, pixels), with one label each, and at least one"
            )

    @property
    def kind(self) -> Kind:
        """One class for each image."""
        return "sequence_class"

    def __len__(self) -> int:
        return len(self.images)

    def steps(self) -> list[int]:
        """Steps of each image, all the same."""
        return [self.time_steps] * len(self)

    def batch(self, order: Sequence[int], rng: np.random.Generator | None = None) -> Batch:
        """Spikes of the images of these numbers.

        Without `rng` image i has the same spikes in every call and whatever else is in the batch.
        """
        spikes = self._fixed(order) if rng is None else self._drawn(order, rng)
        mask = np.ones(spikes.shape[:2], dtype=np.bool_)
        return Batch(spikes, self.labels[list(order)].astype(np.int64), mask, self.kind)

    def first(self, count: int) -> "RateCoded":
        """A split of the first `count` images."""
        return replace(self, images=self.images[:count], labels=self.labels[:count])

    def _drawn(self, order: Sequence[int], rng: np.random.Generator) -> UInt8:
        images = self.images[list(order)]
        if self.elastic:
            images = distort(images, rng)
        return encode(images, self.time_steps, self.max_rate, rng)

    def _fixed(self, order: Sequence[int]) -> UInt8:
        trains = [
            encode(self.images[[i]], self.time_steps, self.max_rate, self._own(i)) for i in order
        ]
        return np.concatenate(trains, axis=1)

    def _own(self, image: int) -> np.random.Generator:
        return stream(0, "datasets", "rate_code", self.name, int(image))
