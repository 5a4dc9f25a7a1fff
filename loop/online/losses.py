"""Losses of single time steps with their derivatives: what starts a learning signal."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pcmsim.datasets import Kind
from pcmsim.errors import UsageError
from pcmsim.networks import nll, objective

# From logits (T, batch, outputs): the loss, summed, and its derivative, of the logits' shape.
Loss = Callable[[Tensor], tuple[float, Tensor]]


def bernoulli(targets: Tensor, mask: Tensor) -> Loss:
    r"""Negative log-likelihood [nat] of binary targets; its derivative is :math:`p - y`.

    `targets` is (T, batch, outputs), `mask` (T, batch); padded steps count nothing.

    >>> loss = bernoulli(torch.ones(1, 1, 2), torch.ones(1, 1, dtype=torch.bool))
    >>> value, derivative = loss(torch.zeros(1, 1, 2))
    >>> round(value, 6), derivative.tolist()
    (1.386294, [[[-0.5, -0.5]]])
    """

    def loss(logits: Tensor) -> tuple[float, Tensor]:
        value = nll(logits, targets, mask).sum().item()
        # Chosen, not multiplied: zero times a padded step that is no number would not be zero.
        valid = mask.to(torch.bool)[..., None]
        return value, torch.where(valid, torch.sigmoid(logits) - targets, 0.0)

    return loss


def categorical(targets: Tensor, mask: Tensor) -> Loss:
    r"""Negative log-likelihood [nat] of a class per step, softmax; its derivative is :math:`p - y`.

    `targets` is (T, batch), whole numbers, `mask` (T, batch).
    """

    def loss(logits: Tensor) -> tuple[float, Tensor]:
        value = objective("step_class").loss(logits, targets, mask).sum().item()
        error = torch.softmax(logits, -1) - one_hot(targets, logits.shape[-1])
        return value, torch.where(mask[..., None], error, 0.0)

    return loss


def squared(targets: Tensor, mask: Tensor) -> Loss:
    r"""Squared error, the mean over m outputs; its derivative is :math:`2 (o - y) / m`.

    `targets` is (T, batch, outputs), `mask` (T, batch); steps without a target count nothing.

    >>> loss = squared(torch.ones(1, 1, 2), torch.ones(1, 1, dtype=torch.bool))
    >>> value, derivative = loss(torch.zeros(1, 1, 2))
    >>> value, derivative.tolist()
    (1.0, [[[-1.0, -1.0]]])
    """

    def loss(outputs: Tensor) -> tuple[float, Tensor]:
        value = objective("values").loss(outputs, targets, mask).sum().item()
        error = 2.0 * (outputs - targets) / outputs.shape[-1]
        return value, torch.where(mask[..., None], error, 0.0)

    return loss


def step_loss(kind: Kind, targets: Tensor, mask: Tensor) -> Loss:
    """The loss of targets that come with every step; raises `UsageError` for others."""
    if kind == "notes":
        return bernoulli(targets, mask)
    if kind in ("step_class", "words"):
        return categorical(targets, mask)
    if kind == "values":
        return squared(targets, mask)
    raise UsageError(f"no loss of single steps for targets of the kind {kind}")
