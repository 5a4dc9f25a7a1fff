"""How well logits predict binary targets."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from pcmsim.errors import UsageError


def nll(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    r"""Negative log-likelihood of each sequence of the batch, shape (batch,) [nats].

    The sum over notes and valid steps of :math:`-y \log p - (1 - y) \log(1 - p)` with
    p = 1 / (1 + exp(-logit)). `logits` and `targets` are (time, batch, notes), `mask` is
    (time, batch) and true where a step is not padding. Dividing the sum over sequences by
    `mask.sum()` gives the average per step; Boulanger-Lewandowski et al., arXiv:1206.6392.

    Raises `UsageError` if the shapes do not belong together.

    >>> logits, targets = torch.zeros(3, 1, 2), torch.ones(3, 1, 2)
    >>> mask = torch.tensor([[True], [True], [False]])
    >>> round(nll(logits, targets, mask).item() / 4, 6)  # ln 2 for each of two notes, two steps
    0.693147
    """
    if logits.ndim != 3 or targets.shape != logits.shape or mask.shape != logits.shape[:2]:
        raise UsageError(
            f"logits {tuple(logits.shape)} and targets {tuple(targets.shape)} must both be "
            f"(time, batch, notes) and mask {tuple(mask.shape)} (time, batch)"
        )
    steps = binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(-1)
    # Chosen, not multiplied: zero times an infinite padded step would not be zero.
    return torch.where(mask.to(torch.bool), steps, steps.new_zeros(())).sum(0)
