"""How well a network predicts a split of a data set."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pcmsim.datasets import Batch, Split, batches
from pcmsim.networks import Multiply, SpikingNetwork, nll

BATCH_SIZE = (
    16  # sequences at once; bounds memory; on a chip it also orders the draws of read noise
)


@dataclass(frozen=True)
class Evaluation:
    r"""Negative log-likelihood of a split [nat/step], and the mean output of the hidden units.

    With :math:`E_i` the sum over notes and over the :math:`T_i` predicted steps of sequence i,
    `per_step` = :math:`\sum_i E_i / \sum_i T_i`, the number of Boulanger-Lewandowski et al.
    (arXiv:1206.6392), and `per_sequence` = the mean over i of :math:`E_i / T_i`. Papers do not
    always say which of the two they print. `activity` is in outputs per unit and step: the
    firing rate of spiking units, the mean activation of soft ones.
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


def in_batches(split: Split) -> tuple[Batch, ...]:
    """Batches that a split is evaluated in; for many evaluations made once.

    Sequences of like length share a batch: padding would be multiplied on the chip too.
    """
    ordered = Split(split.name, tuple(sorted(split.rolls, key=len)))
    return tuple(batches(ordered, BATCH_SIZE))


def evaluate(
    network: SpikingNetwork, split: Split | tuple[Batch, ...], multiply: Multiply | None = None
) -> Evaluation:
    """Evaluate `network` on `split` or its batches, without gradients and without dropout.

    `multiply(name, rows)` replaces the products with the matrices, as in
    `SpikingNetwork.forward`: pass the measured products of a chip.
    """
    probe = ActivityProbe()
    total, steps, averages = 0.0, 0, []
    with torch.no_grad():
        for batch in in_batches(split) if isinstance(split, Split) else split:
            probe.mask = torch.from_numpy(batch.mask)
            logits = network(torch.from_numpy(batch.inputs), multiply, probe)
            errors = nll(logits, torch.from_numpy(batch.targets), probe.mask).tolist()
            lengths = batch.mask.sum(axis=0).tolist()
            total += math.fsum(errors)
            steps += sum(lengths)
            averages += [error / length for error, length in zip(errors, lengths, strict=True)]
    return Evaluation(
        per_step=total / steps,
        per_sequence=math.fsum(averages) / len(averages),
        activity=probe.total / probe.count,
    )
