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
    biases and gains are digital. `correction` is the drift compensation of the outputs. With
    `reads_back` products are not measured one by one but computed with weights that `look` reads.
    """

    def __init__(
        self,
        network: SpikingNetwork,
        arrays: Mapping[str, WeightArray],
        reads_back: bool = False,
    ) -> None:
        super().__init__()
        self.reads_back = reads_back
        self.network = network
        self.arrays = dict(arrays)
        self.gains = nn.ParameterDict(
            {_key(name): nn.Parameter(w.new_ones(w.shape[1])) for name, w in self.weights.items()}
        )
        # What devices show of what is believed, at programming, and the factor that restores it.
        for name, weight in self.weights.items():
            self.register_buffer(f"{_key(name)}_shown", weight.new_ones(()))
            self.register_buffer(f"{_key(name)}_restored", weight.new_ones(()))
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

    def levels(self) -> dict[str, float]:
        """Mean |output| of each matrix over one-hot inputs, measured on its array now."""
        found = {}
        for name, array in self.arrays.items():
            one_hot = np.eye(array.crossbar.shape[2], dtype=np.float32)
            found[name] = max(float(np.abs(array.multiply(one_hot)).mean()), 1e-12)
        return found

    def believed(self) -> dict[str, float]:
        """Mean |weight| of each matrix as software believes it to be."""
        return {n: max(float(w.detach().abs().mean()), 1e-12) for n, w in self.weights.items()}

    def programmed(self) -> None:
        """Remember what the devices show of the weights right after they were programmed."""
        believed = self.believed()
        for name, level in self.levels().items():
            self.get_buffer(f"{_key(name)}_shown").fill_(level / believed[name])

    def restore_after(self, before: Mapping[str, float]) -> None:
        """Take back what drift has taken since `before`, the levels measured then.

        One factor per matrix, on top of those of earlier times: right where every device has kept
        its clock in between.
        """
        for name, level in self.levels().items():
            self.get_buffer(f"{_key(name)}_restored").mul_(before[name] / level)

    def restore(self) -> None:
        """Let the outputs of each matrix have the level of the weights that are believed in.

        For devices that are programmed to these weights now and then: those that were written
        since have drifted less, and a factor that only ever grew would be too large for them.
        """
        believed = self.believed()
        for name, level in self.levels().items():
            shown = self.get_buffer(f"{_key(name)}_shown").item()
            self.get_buffer(f"{_key(name)}_restored").fill_(shown * believed[name] / level)

    def restore_by(self, name: str, factor: float) -> None:
        """Let the outputs of the matrix `name` pass a restoring factor that was found otherwise."""
        self.get_buffer(f"{_key(name)}_restored").fill_(factor)

    def restored(self, name: str) -> float:
        """The restoring factor that outputs of the matrix `name` pass."""
        return self.get_buffer(f"{_key(name)}_restored").item()

    def scale_of(self, name: str) -> Tensor:
        """What outputs of the matrix `name` are multiplied with: gain times restoring factor."""
        return self.gain(name) * self.get_buffer(f"{_key(name)}_restored")

    def digital(self) -> list[nn.Parameter]:
        """Thresholds and biases: parameters of the network that no device holds."""
        matrices = {id(weight) for weight in self.weights.values()}
        return [p for p in self.network.parameters() if id(p) not in matrices]

    def forward(self, x: Tensor, dropout: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Logits (time, batch, outputs) for inputs `x` (time, batch, inputs)."""
        logits: Tensor = self.network(x, self.multiply, dropout)
        return logits

    def multiply(self, name: str, rows: Tensor) -> Tensor:
        """Measured product of `rows` with the matrix `name`, times its gain, compensated."""
        scale = self.scale_of(name)
        y = measured_product(rows, self.weights[name], scale, self.products[name])
        if name not in self.correction:
            return y
        factor, offset = (torch.from_numpy(np.asarray(a)).to(y) for a in self.correction[name])
        return y * factor + offset

    def look(self) -> None:
        """If products are computed with weights that were read back, read them now."""
        if self.reads_back:
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
