"""From a batch of numbers to tensors, and to what a network's answers to it are worth."""

import torch
from torch import Tensor

from pcmsim.datasets import Batch
from pcmsim.networks import SpikingNetwork, objective


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


def count(network: SpikingNetwork, batch: Batch) -> Tensor:
    """How many steps, or sequences, of each sequence are judged, shape (batch,)."""
    return objective(batch.kind, network.rates).count(torch.from_numpy(batch.mask))


def wanted(batch: Batch, like: Tensor) -> tuple[Tensor, Tensor]:
    """Targets, numbers in the precision of `like`, and mask."""
    targets = torch.from_numpy(batch.targets)
    targets = targets.to(like.dtype) if targets.is_floating_point() else targets
    return targets, torch.from_numpy(batch.mask)
