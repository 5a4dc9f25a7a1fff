r"""What a network is trained by and measured by, for each kind of target.

An objective gives three numbers for each sequence of a batch: the `loss` that training lowers, the
`score` that is printed, both summed over what counts, and how many of these there are: steps, or
one per sequence where that has one class. Over a split, :math:`\sum` score :math:`/ \sum` count is
the average per step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from pcmsim.datasets import Kind
from pcmsim.errors import UsageError
from pcmsim.networks.likelihood import nll

# Of outputs (time, batch, outputs), targets and mask, for each sequence: shape (batch,).
Judgement = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """How the answers of a network to a batch are judged; `count` is a function of the mask."""

    loss: Judgement
    score: Judgement
    count: Callable[[Tensor], Tensor]


def objective(kind: Kind, rates: bool = False) -> Objective:
    """Return the objective for targets of this `kind`.

    A sequence with one class is read from the outputs averaged over time: as logits, or as `rates`
    of spiking or soft output units, which are drawn to one for the class and to zero for the others
    by the squared error. Raises `UsageError` for rates where targets need logits.

    >>> outputs = torch.tensor([[[2.0, 0.0]], [[0.0, 1.0]]])  # two steps, one sequence, two classes
    >>> seen = torch.ones(2, 1, dtype=torch.bool)
    >>> objective("sequence_class").score(outputs, torch.tensor([0]), seen).tolist()
    [0.0]
    """
    if kind == "sequence_class":
        return Objective(_squared_rates if rates else _class_nll, _wrong_class, _one)
    if rates:
        raise UsageError(
            "network.readout = spiking answers with rates, and these data are judged step by step; "
            "write readout: dense"
        )
    return {
        "notes": Objective(nll, nll, _steps),
        "step_class": Objective(_step_nll, _wrong_steps, _steps),
        "words": Objective(_step_nll, _step_nll, _steps),
        "values": Objective(_squared_error, _squared_error, _steps),
    }[kind]


def _step_nll(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Negative log-likelihood [nat] of the class of each step, softmax over outputs."""
    steps = cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
    return _summed(steps.view_as(mask), mask)


def _wrong_steps(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return _summed((outputs.argmax(-1) != targets).to(outputs.dtype), mask)


def _squared_error(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return _summed((outputs - targets).square().mean(-1), mask)


def _class_nll(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return cross_entropy(_averaged(outputs, mask), targets, reduction="none")


def _squared_rates(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    rates = _averaged(outputs, mask)
    return (rates - one_hot(targets, rates.shape[1])).square().sum(-1)


def _wrong_class(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    return (_averaged(outputs, mask).argmax(-1) != targets).to(outputs.dtype)


def _averaged(outputs: Tensor, mask: Tensor) -> Tensor:
    """Mean of outputs over the steps of each sequence, (batch, outputs)."""
    kept = torch.where(mask[..., None], outputs, outputs.new_zeros(()))
    return kept.sum(0) / mask.sum(0)[:, None]


def _summed(steps: Tensor, mask: Tensor) -> Tensor:
    # Chosen, not multiplied: zero times an infinite padded step would not be zero.
    return torch.where(mask, steps, steps.new_zeros(())).sum(0)


def _steps(mask: Tensor) -> Tensor:
    return mask.sum(0)


def _one(mask: Tensor) -> Tensor:
    return torch.ones(mask.shape[1], dtype=torch.int64)
