"""From a batch of numbers to tensors, and to what a network's answers to it are worth."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from pcmsim.datasets import Batch
from pcmsim.networks import Multiply, SpikingNetwork, objective

# Steps times sequences whose answers, a number for each word of a language, exist at once.
ROWS = 1024


def inputs(batch: Batch) -> Tensor:
    """Inputs as a network takes them: single precision; words stay whole numbers."""
    x = torch.from_numpy(batch.inputs)
    return x if batch.kind == "words" else x.to(torch.float32)


def loss(network: SpikingNetwork, outputs: Tensor, batch: Batch) -> Tensor:
    """What training lowers, for each sequence of the batch, shape (batch,)."""
    return objective(batch.kind, network.rates).loss(outputs, *wanted(batch, outputs))


def score(network: SpikingNetwork, outputs: Tensor, batch: Batch) -> Tensor:
    """What is printed of a network, summed over what counts of each sequence, shape (batch,)."""
    return objective(batch.kind, network.rates).score(outputs, *wanted(batch, outputs))


def scored(
    network: SpikingNetwork,
    batch: Batch,
    multiply: Multiply | None = None,
    see: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Run `network` over `batch` and return its `score`; `see` is given what hidden layers send.

    Answers to words are judged `ROWS` at a time: together they may not fit into memory.
    """
    sent = network.hidden_output(inputs(batch), multiply, see)
    length = max(1, ROWS // sent.shape[1]) if batch.kind == "words" else len(sent)
    total = sent.new_zeros(sent.shape[1])
    for start in range(0, len(sent), length):
        some = slice(start, start + length)
        answers = network.readout(sent[some], multiply)
        total = total + score(network, answers, steps_of(batch, some))
    return total


def steps_of(batch: Batch, some: slice) -> Batch:
    """Some steps of a batch; targets of whole sequences stay."""
    whole = batch.kind == "sequence_class"
    targets = batch.targets if whole else batch.targets[some]
    return replace(batch, inputs=batch.inputs[some], targets=targets, mask=batch.mask[some])


def count(network: SpikingNetwork, batch: Batch) -> Tensor:
    """How many steps, or sequences, of each sequence are judged, shape (batch,)."""
    return objective(batch.kind, network.rates).count(torch.from_numpy(batch.mask))


def wanted(batch: Batch, like: Tensor) -> tuple[Tensor, Tensor]:
    """Targets, numbers in the precision of `like`, and mask."""
    targets = torch.from_numpy(batch.targets)
    targets = targets.to(like.dtype) if targets.is_floating_point() else targets
    return targets, torch.from_numpy(batch.mask)
