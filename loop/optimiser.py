"""Optimisers with a learning rate per epoch, and their state as named tensors."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from pcmsim.config import Training
from pcmsim.networks import SpikingNetwork

LOGITS = (".decay_logit", ".adaptation_logit")


def learning_rate(training: Training, epoch: int) -> float:
    r"""Learning rate :math:`\eta_e` of epoch e = 1 ... N.

    "constant": :math:`\eta`; "cosine":
    :math:`\eta_e = \frac{\eta}{2} (1 + \cos(\pi (e - 1) / N))`, from :math:`\eta` in the first
    epoch to nearly zero in the last (Loshchilov and Hutter, arXiv:1608.03983, without restarts).

    >>> training = Training(epochs=4, batch_size=1, learning_rate=0.1, schedule="cosine")
    >>> [round(learning_rate(training, epoch), 4) for epoch in (1, 2, 3, 4)]
    [0.1, 0.0854, 0.05, 0.0146]
    """
    if training.schedule == "constant":
        return training.learning_rate
    share = (epoch - 1) / training.epochs
    return training.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))


def groups(network: SpikingNetwork, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters of `network` by the weight decay that they take.

    Logits of decays take none: it would pull each decay towards 0.5, a time constant of 1.4 steps,
    and not towards a simpler network.

    >>> from pcmsim.config import Network
    >>> network = SpikingNetwork(Network(unit="alif"))
    >>> [(len(group["params"]), group["weight_decay"]) for group in groups(network, 0.01)]
    [(4, 0.01), (2, 0.0)]
    """
    named = list(network.named_parameters())
    logits = [parameter for name, parameter in named if name.endswith(LOGITS)]
    others = [parameter for name, parameter in named if not name.endswith(LOGITS)]
    found: list[dict[str, Any]] = [{"params": others, "weight_decay": weight_decay}]
    return [*found, {"params": logits, "weight_decay": 0.0}] if logits else found


def adamw(network: SpikingNetwork, training: Training) -> torch.optim.AdamW:
    """Adam with decoupled weight decay (arXiv:1711.05101) over all parameters of `network`."""
    parameters = groups(network, training.weight_decay)
    return torch.optim.AdamW(parameters, lr=training.learning_rate, eps=epsilon(training))


def epsilon(training: Training) -> float:
    """What is added to the root of the mean square gradient before it divides."""
    return 1e-8 if training.epsilon is None else training.epsilon


def make_optimiser(network: SpikingNetwork, training: Training) -> torch.optim.Optimizer:
    """The optimiser that `training` names, over all parameters of `network` (see `groups`).

    "adamw" and "adam" (arXiv:1412.6980), "rmsprop", m <- a m + (1 - a) g^2 and
    w <- w - rate g / (sqrt(m) + epsilon) with the `smoothing` a, and "sgd", with `momentum`
    v <- m v + g, w <- w - rate v.

    >>> from pcmsim.config import Network
    >>> given = {"optimiser": "rmsprop", "smoothing": 0.9, "epsilon": 1e-5}
    >>> training = Training(epochs=1, batch_size=1, learning_rate=0.1, **given)
    >>> group = make_optimiser(SpikingNetwork(Network(unit="snu")), training).param_groups[0]
    >>> group["alpha"], group["eps"]
    (0.9, 1e-05)
    """
    parameters, rate = groups(network, training.weight_decay), training.learning_rate
    if training.optimiser == "adamw":
        return adamw(network, training)
    if training.optimiser == "adam":
        return torch.optim.Adam(parameters, lr=rate, eps=epsilon(training))
    if training.optimiser == "rmsprop":
        smoothing = 0.99 if training.smoothing is None else training.smoothing
        return torch.optim.RMSprop(parameters, lr=rate, alpha=smoothing, eps=epsilon(training))
    return torch.optim.SGD(parameters, lr=rate, momentum=training.momentum)


def set_learning_rate(optimiser: torch.optim.Optimizer, value: float) -> None:
    """Use `value` from the next step on."""
    for group in optimiser.param_groups:
        group["lr"] = value


def moments(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """State of the optimiser as tensors named `parameter/moment`, copied."""
    return {
        f"{name}/{moment}": value.clone()
        for name, parameter in network.named_parameters()
        for moment, value in optimiser.state[parameter].items()
        if value is not None  # the velocity of SGD without momentum
    }


def restore_moments(
    network: nn.Module, optimiser: torch.optim.Optimizer, values: dict[str, Tensor]
) -> None:
    """Put back what `moments` returned."""
    for name, parameter in network.named_parameters():
        optimiser.state[parameter] = {
            key.rpartition("/")[2]: value.clone()
            for key, value in values.items()
            if key.rpartition("/")[0] == name
        }
