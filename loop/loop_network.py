"""A spiking network whose matrices are crossbars: what training in the loop trains."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from pcmsim.loop.crossbar import FloatArray
from pcmsim.loop.linear import Product, measured_product
from pcmsim.loop.weights import WeightArray
from pcmsim.networks import SpikingNetwork

# Per matrix the factor and the offset that its outputs pass, each of shape (columns,) or (1,).
Correction = Mapping[str, tuple[FloatArray, FloatArray]]


class LoopNetwork(nn.Module):
    """`network` with its products taken on `arrays`, and a digital gain per column.

    The network's own weights are what software believes and computes gradients with; thresholds,
    biases and gains are digital. `correction` is the drift compensation of the outputs.
    """

    def __init__(self, network: SpikingNetwork, arrays: Mapping[str, WeightArray]) -> None:
        super().__init__()
        self.network = network
        self.arrays = dict(arrays)
        self.gains = nn.ParameterDict(
            {_key(name): nn.Parameter(w.new_ones(w.shape[1])) for name, w in self.weights.items()}
        )
        self.products: dict[str, Product] = dict(self.arrays)
        self.correction: Correction = {}

    @property
    def weights(self) -> dict[str, Tensor]:
        """Matrices by name, as software believes them to be."""
        return self.network.matrices()

    def gain(self, name: str) -> nn.Parameter:
        """Gain per column of the matrix `name`."""
        found: nn.Parameter = self.gains[_key(name)]
        return found

    def digital(self) -> list[nn.Parameter]:
        """Thresholds, biases and gains: what is trained without touching a device."""
        matrices = {id(weight) for weight in self.weights.values()}
        return [p for p in self.parameters() if id(p) not in matrices]

    def forward(self, x: Tensor, dropout: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Logits (time, batch, outputs) for inputs `x` (time, batch, inputs)."""
        logits: Tensor = self.network(x, self.multiply, dropout)
        return logits

    def multiply(self, name: str, rows: Tensor) -> Tensor:
        """Measured product of `rows` with the matrix `name`, times its gain, compensated."""
        y = measured_product(rows, self.weights[name], self.gain(name), self.products[name])
        if name not in self.correction:
            return y
        factor, offset = (torch.from_numpy(np.asarray(a)).to(y) for a in self.correction[name])
        return y * factor + offset

    def read_back(self) -> None:
        """Read all devices and multiply with what they showed, until the next reading."""
        self.products = {name: ReadBack(array.read()) for name, array in self.arrays.items()}


class ReadBack:
    """Weights as they were read, multiplied digitally."""

    def __init__(self, weight: FloatArray) -> None:
        self.weight = np.asarray(weight, dtype=np.float32)

    def multiply(self, x: FloatArray) -> FloatArray:
        """Product of `x` (n, rows) with the weights."""
        return np.asarray(x @ self.weight)


def _key(name: str) -> str:
    # torch forbids dots in the names of parameters.
    return name.replace(".", "_")
