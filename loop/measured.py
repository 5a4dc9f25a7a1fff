"""A network's products taken on a chip instead of in software."""

import torch
from torch import Tensor

from pcmsim.crossbar import Chip, Readout, check_weight, compensated
from pcmsim.networks import Multiply, SpikingNetwork


def program_network(chip: Chip, network: SpikingNetwork) -> None:
    """Write every weight matrix of `network` onto `chip`; biases and thresholds stay digital.

    Raises `UsageError` for weights that are not finite, before any device is written.
    """
    weights = {name: w.detach().numpy() for name, w in network.matrices().items()}
    for name, weight in weights.items():
        check_weight(weight, name)
    for name, weight in weights.items():
        chip.program(name, weight)


def measured(chip: Chip, factor: Readout | None = None) -> Multiply:
    """Products measured on `chip` at its clock's time, times the compensation `factor` if given.

    Pass the result as `multiply` to a network or to `evaluate`.
    """

    def multiply(name: str, rows: Tensor) -> Tensor:
        y = chip.multiply(name, rows.detach().cpu().numpy())
        return torch.from_numpy(compensated(y, name, factor or {})).to(rows.device)

    return multiply
