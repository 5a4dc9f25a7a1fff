"""A network of spiking layers with a dense readout, built from its configuration."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pcmsim.config import Network
from pcmsim.errors import UsageError
from pcmsim.networks.layers import Multiply, Readout, SpikingLayer
from pcmsim.networks.unit import unit_of
from pcmsim.rng import key


class SpikingNetwork(nn.Module):
    """Hidden layers of spiking units, then a dense readout that gives logits.

    Weights are drawn from `generator`; without one, from a fixed stream, so that the same
    configuration always starts from the same weights.

    >>> network = SpikingNetwork(Network(unit="ssnu"))
    >>> network(torch.zeros(64, 16, 88)).shape
    torch.Size([64, 16, 88])
    >>> {name: tuple(weight.shape) for name, weight in network.matrices().items()}
    {'hidden0.weight': (88, 150), 'readout.weight': (150, 88)}
    """

    def __init__(
        self,
        spec: Network,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if generator is None:
            generator = torch.Generator().manual_seed(key(0, "network"))
        self.spec = spec
        sizes = (spec.inputs, *spec.hidden, spec.outputs)
        pairs = list(itertools.pairwise(sizes))
        self.hidden: list[str] = []
        for i, pair in enumerate(pairs[:-1]):
            name = f"hidden{i}"
            layer = SpikingLayer(
                name, pair, unit_of(spec), spec.recurrent, spec.threshold, generator, dtype
            )
            # As attributes, not in a ModuleList: parameters are then named as matrices are.
            self.add_module(name, layer)
            self.hidden.append(name)
        self.readout = Readout("readout", pairs[-1], generator, dtype)

    def forward(
        self,
        x: Tensor,
        multiply: Multiply | None = None,
        dropout: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Logits (time, batch, outputs) for inputs `x` (time, batch, inputs).

        `multiply(name, rows)` stands in for the product of `rows` with the matrix of that name
        (see `matrices`): one call for all steps, except that recurrent connections take one per
        step. Gradients pass through the hidden layers if the products do. `dropout` is applied to
        the output sequence of each hidden layer. Padding belongs at the end, where it cannot reach
        back.

        Raises `UsageError` for inputs, or results of `multiply`, of another shape or precision.
        """
        if x.ndim != 3:
            raise UsageError(f"x has shape {tuple(x.shape)}; it must be (time, batch, inputs)")
        for name in self.hidden:
            x = self.get_submodule(name)(x, multiply)
            if dropout is not None:
                x = dropout(x)
        logits: Tensor = self.readout(x, multiply)
        return logits

    def matrices(self) -> dict[str, Tensor]:
        """Return the weight matrices by name: rows = inputs and columns = outputs, not copied."""
        return {name: value for name, value in self.named_parameters() if value.ndim == 2}
