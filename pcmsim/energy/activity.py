"""What layers send to each other while a network runs over a split."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcmsim.datasets import Batch, Sequences
from pcmsim.errors import UsageError
from pcmsim.loop import in_batches, inputs
from pcmsim.networks import SpikingNetwork

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Signal:
    """What the inputs or the units of a layer send on, per value and step: of pooled units, one.

    `share` is the share of steps in which a unit sends something other than zero: its firing rate
    if the signal is `binary`, of zeros and ones alone. `size` is the mean of the absolute value.
    `returned_share` and `returned_size` are those of what a step finds of the step before, where
    the first step of a sequence finds zeros. All four have the shape (units,).
    """

    name: str
    binary: bool
    share: FloatArray
    size: FloatArray
    returned_share: FloatArray
    returned_size: FloatArray


@dataclass(frozen=True)
class Activity:
    """Signals of the inputs and of each hidden layer, over the steps that are not padding."""

    sequences: int
    steps: int
    inputs: Signal
    hidden: tuple[Signal, ...]


class _Sum:
    """Sums of one signal over batches."""

    def __init__(self, name: str, units: int) -> None:
        self.name, self.binary = name, True
        self.sums = np.zeros((4, units))

    def add(self, values: Tensor, mask: Tensor) -> None:
        """Add `values` (time, batch, units) where `mask` (time, batch) says that a step is real."""
        # What step t sends back arrives if there is a step t + 1.
        arrives = torch.zeros_like(mask)
        arrives[:-1] = mask[1:]
        for place, chosen in ((0, values[mask]), (2, values[arrives])):
            self.sums[place] += (chosen != 0.0).sum(0, dtype=torch.float64).numpy()
            self.sums[place + 1] += chosen.abs().sum(0, dtype=torch.float64).numpy()
        real = values[mask]
        self.binary = self.binary and bool(((real == 0.0) | (real == 1.0)).all())

    def over(self, steps: int) -> Signal:
        """Means over `steps` steps."""
        return Signal(self.name, self.binary, *(self.sums / steps))


def measure(network: SpikingNetwork, split: Sequences | tuple[Batch, ...]) -> Activity:
    """Run `network` over `split`, or its batches, and return what its layers have sent.

    Raises `UsageError` for a split without sequences.

    >>> from pcmsim.config import Network
    >>> from pcmsim.datasets import Split
    >>> split = Split("test", (np.ones((3, 88), np.uint8),))
    >>> found = measure(SpikingNetwork(Network(unit="ssnu", hidden=(5,))), split)
    >>> found.steps, found.inputs.binary, found.inputs.share[0].item(), found.hidden[0].binary
    (2, True, 1.0, False)
    """
    batches = split if isinstance(split, tuple) else in_batches(split)
    if not batches:
        raise UsageError("there are no sequences to measure activity on; choose another split")
    sums: list[_Sum] = []
    steps = sequences = 0
    for batch in batches:
        mask = torch.from_numpy(batch.mask)
        x = taken(network, batch)
        with torch.no_grad():
            received = network.embedded(x)
        sent = [received, *hidden_outputs(network, x)]
        if not sums:
            names = ("inputs", *network.hidden)
            sums = [_Sum(*pair) for pair in zip(names, (v.shape[2] for v in sent), strict=True)]
        for total, values in zip(sums, sent, strict=True):
            total.add(values, mask)
        steps += int(mask.sum())
        sequences += mask.shape[1]
    first, *hidden = (total.over(steps) for total in sums)
    return Activity(sequences, steps, first, tuple(hidden))


def taken(network: SpikingNetwork, batch: Batch) -> Tensor:
    """Inputs of a batch as `network` takes them: words, or numbers in its precision."""
    x = inputs(batch)
    return x.to(network.readout.weight.dtype) if x.is_floating_point() else x


def hidden_outputs(network: SpikingNetwork, x: Tensor) -> list[Tensor]:
    """What each hidden layer sends on, (time, batch, units), for inputs `x` (time, batch, inputs).

    Of a convolution that pools these are the pooled outputs, by row of pixels, pixel and channel.
    """
    seen: list[Tensor] = []

    def keep(outputs: Tensor) -> Tensor:
        seen.append(outputs)
        return outputs

    with torch.no_grad():
        network.hidden_output(x, None, keep)
    return seen


def raster(outputs: Tensor) -> NDArray[Any]:
    """Outputs (steps, units) as bytes: 0 for none, 255 for a spike, grey values between.

    >>> raster(torch.tensor([[0.0, 0.5, 1.0]])).tolist()
    [[0, 128, 255]]
    """
    grey: NDArray[Any] = outputs.clamp(0.0, 1.0).mul(255.0).round().to(torch.uint8).numpy()
    return grey
