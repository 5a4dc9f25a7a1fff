"""A network of spiking layers and a readout, built from its configuration."""

import dataclasses
import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pcmsim.config import LeakyReadout, Network, SpikingReadout
from pcmsim.errors import UsageError
from pcmsim.networks.embedding import Embedding, look_up, table
from pcmsim.networks.layers import Leaky, Multiply, Readout, SpikingLayer
from pcmsim.networks.unit import State, unit_of
from pcmsim.rng import key

States = tuple[State, ...]


class SpikingNetwork(nn.Module):
    """Hidden layers of spiking units, then the readout: dense or leaky logits, or spikes.

    A readout of spiking units has no recurrent connections and inhibits nothing laterally.

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
        sizes = (spec.embedding or spec.inputs, *spec.hidden, spec.outputs)
        pairs = list(itertools.pairwise(sizes))
        self.hidden: list[str] = []
        for i, pair in enumerate(pairs[:-1]):
            name = f"hidden{i}"
            layer = SpikingLayer(name, pair, unit_of(spec), spec, generator, dtype)
            # As attributes, not in a ModuleList: parameters are then named as matrices are.
            self.add_module(name, layer)
            self.hidden.append(name)
        self.readout = _readout(spec, pairs[-1], generator, dtype)
        self.embedding: Embedding | None = None
        if spec.tied:
            self.readout.weight = table(*pairs[-1], generator, dtype)
        elif spec.embedding is not None:
            self.embedding = Embedding(spec.inputs, spec.embedding, generator, dtype)

    def forward(
        self,
        x: Tensor,
        multiply: Multiply | None = None,
        dropout: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Logits (time, batch, outputs) for inputs `x` (time, batch, inputs).

        With an embedding inputs are numbers of words (time, batch). With a spiking readout its
        outputs stand in the place of logits. `multiply(name, rows)` stands in for the product of
        `rows` with the matrix of that name (see `matrices`): one call for all steps, except that
        recurrent connections take one per step. Gradients pass through the hidden layers if the
        products do. `dropout` is applied to the output sequence of each hidden layer. Padding
        belongs at the end, where it cannot reach back.

        Raises `UsageError` for inputs, or results of `multiply`, of another shape or precision.
        """
        logits: Tensor = self.readout(self.sent(x, multiply, dropout), multiply)
        return logits

    def sent(
        self,
        x: Tensor,
        multiply: Multiply | None = None,
        dropout: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """What the last hidden layer sends to the readout; takes and raises what `forward` does."""
        x = self.embedded(x)
        if x.ndim != 3:
            raise UsageError(f"x has shape {tuple(x.shape)}; it must be (time, batch, inputs)")
        for name in self.hidden:
            x = self.get_submodule(name)(x, multiply)
            if dropout is not None:
                x = dropout(x)
        return x

    def embedded(self, x: Tensor) -> Tensor:
        """What the first layer receives: `x` itself or, of words, their rows of the table."""
        if self.spec.embedding is None:
            return x
        if self.embedding is None:
            return look_up(x, self.readout.weight.T)
        return look_up(x, self.embedding.weight)

    def rest(self, batch: int = 1) -> States:
        """States before the first step of `batch` sequences: all zero.

        One for each hidden layer and, if it has any, that of the readout.
        """
        layers = [self._layer(name) for name in self.hidden]
        if not isinstance(self.readout, Readout):
            layers.append(self.readout)
        return tuple(layer.rest(batch) for layer in layers)

    def step(
        self, states: States, x: Tensor, multiply: Multiply | None = None
    ) -> tuple[States, Tensor]:
        """States as in `rest` and logits (batch, outputs) after one step with `x`.

        `x` has shape (batch, inputs); `states` are those of the step before, or `rest`. Step by
        step the logits are those of `forward` to rounding: products of single rows are summed in
        another order. `multiply` is that of `forward`, called for each matrix once, in the order
        in which data pass: weight and recurrent matrix of each layer, then the readout.

        Raises `UsageError` as `forward` does.

        >>> network, x = SpikingNetwork(Network(unit="ssnu", hidden=(5, 4))), torch.ones(2, 1, 88)
        >>> states, first = network.step(network.rest(), x[0])
        >>> states, second = network.step(states, x[1])
        >>> torch.allclose(torch.stack([first, second]), network(x), atol=1e-6)
        True
        """
        wanted = len(self.hidden) + (not isinstance(self.readout, Readout))
        x = self.embedded(x)
        if x.ndim != 2 or len(states) != wanted:
            raise UsageError(
                f"x has shape {tuple(x.shape)} and there are {len(states)} states; a step takes "
                f"(batch, inputs) and {wanted} states, one for each layer that has any"
            )
        after = []
        for name, state in zip(self.hidden, states, strict=False):
            after.append(self._layer(name).step(state, x, multiply))
            x = after[-1].output
        if isinstance(self.readout, Readout):
            return tuple(after), self.readout(x, multiply)
        after.append(self.readout.step(states[-1], x, multiply))
        return tuple(after), after[-1].output

    def _layer(self, name: str) -> SpikingLayer | Leaky:
        layer: SpikingLayer = self.get_submodule(name)  # type: ignore[assignment]
        return layer

    @property
    def rates(self) -> bool:
        """Whether the outputs are those of units, whose rate is the answer, instead of logits."""
        return self.spec.readout.name == "spiking"

    def matrices(self) -> dict[str, Tensor]:
        """Return the weight matrices by name: rows = inputs and columns = outputs, not copied.

        These go onto arrays; a table that words are looked up in is no matrix to multiply with.
        """
        return {
            name: value
            for name, value in self.named_parameters()
            if value.ndim == 2 and not name.startswith("embedding.")
        }


def _readout(
    spec: Network, sizes: tuple[int, int], generator: torch.Generator, dtype: torch.dtype
) -> Readout | SpikingLayer | Leaky:
    if isinstance(spec.readout, LeakyReadout):
        return Leaky("readout", sizes, spec.readout, generator, dtype)
    if isinstance(spec.readout, SpikingReadout):
        unit = unit_of(spec)
        plain = dataclasses.replace(unit, kind="snu") if unit.kind == "li_snu" else unit
        alone = spec.model_copy(update={"recurrent": False})
        return SpikingLayer("readout", sizes, plain, alone, generator, dtype)
    return Readout("readout", sizes, generator, dtype)
