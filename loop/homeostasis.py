r"""Homeostasis: a penalty on hidden units that are silent or too busy.

Of a batch, :math:`r_j` is the mean output of unit j of a layer over all steps that count: its
firing rate if it spikes, its mean activation if it is soft. Each hidden layer of n units adds

.. math:: s_l \frac{1}{n} \sum_j [r_l - r_j]_+^2 + s_u \Big[ \frac{1}{n} \sum_j r_j - r_u \Big]_+^2

with the bounds :math:`r_l, r_u` in outputs per unit and step and their strengths. The lower bound
is for each unit, so that none stays silent; the upper one is for the layer, whose units may share
what it allows as they need. Zenke and Vogels, Neural Comput. 33, 899 (2021),
doi:10.1162/neco_a_01367; Rossbroich et al., arXiv:2206.10226. The gradient passes through outputs
as that of the loss does, by the surrogate of the step.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pcmsim.config import ActivityBounds

Drop = Callable[[Tensor], Tensor] | None


def penalty(outputs: Tensor, mask: Tensor, bounds: ActivityBounds) -> Tensor:
    """Penalty of one layer with `outputs` (time, batch, units) where `mask` (time, batch) is true.

    >>> outputs = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]])
    >>> bounds = ActivityBounds(lower=0.2, lower_strength=50.0, upper=0.4, upper_strength=100.0)
    >>> round(penalty(outputs, torch.ones(2, 1, dtype=torch.bool), bounds).item(), 4)
    2.0
    """
    total = outputs.new_zeros(())
    if not mask.any():  # a window of weather without a single target has no rates
        return total
    rates = outputs[mask].mean(0)
    if bounds.lower is not None:
        missing = torch.relu(bounds.lower - rates)
        total = total + bounds.lower_strength * missing.square().mean()
    if bounds.upper is not None:
        excess = torch.relu(rates.mean() - bounds.upper)
        total = total + bounds.upper_strength * excess.square()
    return total


class Homeostat:
    """Sees the outputs of each hidden layer of a batch and adds up their penalties.

    It is passed to a network in the place of `drop`, which then gets the outputs to thin them out.
    """

    def __init__(self, bounds: ActivityBounds, mask: Tensor, drop: Drop) -> None:
        self.bounds, self.mask, self.drop = bounds, mask, drop
        self.penalties: list[Tensor] = []

    def __call__(self, outputs: Tensor) -> Tensor:
        """Take note of what units send before any of it is dropped."""
        self.penalties.append(penalty(outputs, self.mask, self.bounds))
        return outputs if self.drop is None else self.drop(outputs)

    def total(self) -> Tensor:
        """Sum over the layers that have been seen."""
        return torch.stack(self.penalties).sum()
