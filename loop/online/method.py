"""Which paths of the gradient an online learning rule follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pcmsim.networks import SpikingNetwork
from pcmsim.rng import key


@dataclass(frozen=True)
class Method:
    """What the eligibilities of a rule take in, and how its errors come down.

    `recurrence`: the Jacobian ds_t / ds_{t-1} contains the recurrent matrix; without it the
    Jacobian is diagonal. `reset`: it contains the path through the reset (1 - y_{t-1}). `feedback`
    holds matrices by name that carry errors down in place of the network's own; none for those
    that are missing in it.

    =====================  ==========  =====
    rule                   recurrence  reset
    =====================  ==========  =====
    OSTL, complete         yes         yes
    OSTL without H         no          yes
    e-prop                 no          no
    =====================  ==========  =====

    Bohnstingl et al., arXiv:2007.12723; Bellec et al., doi:10.1038/s41467-020-17236-y.
    """

    recurrence: bool = True
    reset: bool = True
    feedback: Mapping[str, Tensor] = field(default_factory=dict)


OSTL = Method()
OSTL_WITHOUT_H = Method(recurrence=False)
EPROP = Method(recurrence=False, reset=False)


def random_feedback(network: SpikingNetwork, seed: int) -> dict[str, Tensor]:
    """Fixed random matrices in place of those that carry errors down to a hidden layer.

    Uniform within sqrt(6 / (inputs + outputs)), as the weights are at the start, but drawn from a
    stream of their own. There is none for the first layer, below which nothing learns.
    """
    generator = torch.Generator().manual_seed(key(seed, "feedback"))
    found = {}
    for name in [*(f"{hidden}.weight" for hidden in network.hidden[1:]), "readout.weight"]:
        weight = network.get_parameter(name)
        uniform = torch.rand(weight.shape, generator=generator, dtype=torch.float64)
        limit = (6.0 / sum(weight.shape)) ** 0.5
        found[name] = ((2.0 * uniform - 1.0) * limit).to(weight.dtype)
    return found
