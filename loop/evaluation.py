"""How well a network predicts a split of a data set."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pcmsim.datasets import Batch, Sequences
from pcmsim.loop import judging
from pcmsim.networks import Multiply, SpikingNetwork

# Sequences at once, or as many short ones as make so many rows; bounds memory, and on a chip it
# also orders the draws of read noise.
BATCH_SIZE = 16
ROWS = 1024


@dataclass(frozen=True)
class Evaluation:
    r"""Metric of a split (see `Dataset.metric`), and the mean output of the hidden units.

    With :math:`E_i` the sum over the :math:`T_i` steps of sequence i that count, `per_step` =
    :math:`\sum_i E_i / \sum_i T_i` and `per_sequence` = the mean over i of :math:`E_i / T_i`. For
    chorales E is the negative log-likelihood [nat] of all notes, `per_step` that of
    Boulanger-Lewandowski et al. (arXiv:1206.6392), and papers do not always say which of the two
    they print. For classes E is the number of errors, and both are the same where a sequence has
    one. `activity` is in outputs per unit and step: the firing rate of spiking units, the mean
    activation of soft ones.
    """

    per_step: float
    per_sequence: float
    activity: float


class ActivityProbe:
    """Sees the hidden outputs (time, batch, units) of a batch and passes them on unchanged."""

    def __init__(self) -> None:
        self.total = 0.0
        self.count = 0
        self.mask = torch.empty(0)

    def __call__(self, outputs: Tensor) -> Tensor:
        """Add the outputs of all steps that are not padding."""
        self.total += float(outputs.sum(-1)[self.mask].sum(dtype=torch.float64))
        self.count += int(self.mask.sum()) * outputs.shape[-1]
        return outputs


def in_batches(split: Sequences) -> tuple[Batch, ...]:
    """Batches that a split is evaluated in; for many evaluations made once.

    Sequences of like length share a batch: padding would be multiplied on the chip too.
    """
    return tuple(_in_batches(split))


def _in_batches(split: Sequences) -> Iterator[Batch]:
    steps = split.steps()
    order = sorted(range(len(split)), key=steps.__getitem__)
    start = 0
    while start < len(order):
        size = max(BATCH_SIZE, ROWS // max(steps[order[start]], 1) if split.kind != "notes" else 0)
        yield split.batch(order[start : start + size])
        start += size


def evaluate(
    network: SpikingNetwork,
    split: Sequences | tuple[Batch, ...],
    multiply: Multiply | None = None,
) -> Evaluation:
    """Evaluate `network` on `split` or its batches, without gradients and without dropout.

    `multiply(name, rows)` replaces the products with the matrices, as in
    `SpikingNetwork.forward`: pass the measured products of a chip.
    """
    probe = ActivityProbe()
    total, steps, averages = 0.0, 0, []
    with torch.no_grad():
        for batch in split if isinstance(split, tuple) else _in_batches(split):
            probe.mask = torch.from_numpy(batch.mask)
            errors = judging.scored(network, batch, multiply, probe).tolist()
            lengths = judging.count(network, batch).tolist()
            total += math.fsum(errors)
            steps += sum(lengths)
            averages += [e / n for e, n in zip(errors, lengths, strict=True) if n]
    return Evaluation(
        per_step=total / steps,
        per_sequence=math.fsum(averages) / len(averages),
        activity=probe.total / probe.count,
    )
