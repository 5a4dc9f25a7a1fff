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
from pcmsim.networks.window import Window, flat_inputs, windows
from pcmsim.rng import key

States = tuple[State, ...]


class SpikingNetwork(nn.Module):
    """Hidden layers of spiking units, then the readout: dense or leaky logits, or spikes.

    Convolutional layers come first among the hidden ones: of units that share one matrix, a
    threshold and decays for each channel, and see one patch of the image each (`windows`). They
    have no recurrent connections, and lateral inhibition is among the channels of a pixel. A
    readout of spiking units has no recurrent connections and inhibits nothing laterally.

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
        self.windows: dict[str, Window] = {f"conv{i}": w for i, w in enumerate(windows(spec))}
        sizes = {name: (w.rows, w.spiking.channels) for name, w in self.windows.items()}
        first = spec.embedding or flat_inputs(spec)
        pairs = list(itertools.pairwise((first, *spec.hidden, spec.outputs)))
        sizes |= {f"hidden{i}": pair for i, pair in enumerate(pairs[:-1])}
        alone = spec.model_copy(update={"recurrent": False})
        for name, pair in sizes.items():
            own = alone if name in self.windows else spec
            layer = SpikingLayer(name, pair, unit_of(spec), own, generator, dtype)
            # As attributes, not in a ModuleList: parameters are then named as matrices are.
            self.add_module(name, layer)
        self.hidden = list(sizes)
        self.readout = _readout(spec, pairs[-1], generator, dtype)
        self.embedding: Embedding | None = None
        if spec.tied:
            self.readout.weight = table(*pairs[-1], generator, dtype)
        elif spec.embedding is not None:
            self.embedding = Embedding(spec.inputs, spec.embedding, generator, dtype)
        # What a shared table is above its matrix, while that is what devices would show of it.
        self.table_above: Tensor | None = None

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
        recurrent connections take one per step; rows of a convolution are patches (time, batch x
        pixels, inputs). Gradients pass through the hidden layers if the products do. `dropout` is
        applied to what each hidden layer sends on, after pooling. Padding belongs at the end, where
        it cannot reach back.

        Raises `UsageError` for inputs, or results of `multiply`, of another shape or precision.
        """
        logits: Tensor = self.readout(self.hidden_output(x, multiply, dropout), multiply)
        return logits

    def hidden_output(
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
            x = self.sent(name, self.get_submodule(name)(self.seen(name, x), multiply))
            if dropout is not None:
                x = dropout(x)
        return x

    def embedded(self, x: Tensor) -> Tensor:
        """What the first layer receives: `x` itself or, of words, their rows of the table."""
        if self.spec.embedding is None:
            return x
        if self.embedding is not None:
            return look_up(x, self.embedding.weight)
        rows = look_up(x, self.readout.weight.T)
        return rows if self.table_above is None else rows + look_up(x, self.table_above.T)

    def seen(self, name: str, x: Tensor) -> Tensor:
        """Rows that the layer `name` takes for what reaches it, `x` (time, batch, values).

        Those of a convolution are patches, (time, batch x pixels, rows); others are `x` itself.
        """
        return self.windows[name].patches(x) if name in self.windows else x

    def sent(self, name: str, y: Tensor) -> Tensor:
        """What the hidden layer `name` sends on, (time, batch, values), of its outputs `y`.

        Those of a convolution are (time, batch x pixels, channels); they are pooled and belong to
        their images again. Those of other layers are sent as they are.
        """
        return self.windows[name].pooled(y) if name in self.windows else y

    def rest(self, batch: int = 1) -> States:
        """States before the first step of `batch` sequences: all zero.

        One for each hidden layer, of a convolution (batch x pixels, channels), and, if it has any,
        that of the readout.
        """
        layers = {name: self._layer(name) for name in self.hidden}
        if not isinstance(self.readout, Readout):
            layers["readout"] = self.readout
        per_step = self.products()
        return tuple(
            layer.rest(batch * per_step[f"{name}.weight"]) for name, layer in layers.items()
        )

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
            after.append(self._layer(name).step(state, self.seen(name, x[None])[0], multiply))
            x = self.sent(name, after[-1].output[None])[0]
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

    def products(self) -> dict[str, int]:
        """Products with each matrix that a step of one sequence takes: of a convolution, pixels."""
        pixels = {f"{name}.weight": window.pixels for name, window in self.windows.items()}
        return {name: pixels.get(name, 1) for name in self.matrices()}


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
