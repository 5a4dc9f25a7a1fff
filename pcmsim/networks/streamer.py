"""A network that answers one sample at a time, as fast as its inputs come.

`SpikingNetwork.step` spends most of its time on calls between tensors; here a step is one call of
compiled code, and inputs and outputs are rows of numpy.
"""

from typing import Any

import numpy as np
import torch

from pcmsim.errors import UsageError
from pcmsim.networks import fused
from pcmsim.networks import streamer_kernel as kernel
from pcmsim.networks.kernels import Array
from pcmsim.networks.layers import Leaky, Readout, SpikingLayer
from pcmsim.networks.network import SpikingNetwork
from pcmsim.networks.unit import unit_of

_Layer = SpikingLayer | Readout | Leaky


class Streamer:
    """The steps of one sequence through `network`, whose weights are copied now.

    Logits are those of `SpikingNetwork.step` to rounding, since sums are formed in another order;
    a potential within rounding of its threshold may fall on the other side of it. Of each matrix
    only the rows are read whose input is not zero. All units, readouts and recurrent connections;
    in the network's own precision.

    Raises `UsageError` for a network that is not in memory in single or double precision, or has
    convolutions, an embedding or layers of another kind.

    >>> from pcmsim.config import Network
    >>> network = SpikingNetwork(Network(unit="ssnu", inputs=3, hidden=(4,), outputs=2))
    >>> streamer, x = Streamer(network), np.ones(3, np.float32)
    >>> first, second = streamer.step(x), streamer.step(x)
    >>> streamer.reset()
    >>> first.shape, bool((first == second).all()), bool((first == streamer.step(x)).all())
    ((2,), False, True)
    """

    def __init__(self, network: SpikingNetwork) -> None:
        _check_rows(network)
        names = (*network.hidden, "readout")
        layers = [_checked(name, network.get_submodule(name)) for name in names]
        first = layers[0].weight.detach().numpy()
        self._inputs, self._dtype = first.shape[:1], first.dtype
        self._sizes = np.array([_sizes_of(layer) for layer in layers], np.int64)
        self._weights = np.concatenate([_weights_of(layer) for layer in layers])
        self._given = np.concatenate([_given_of(layer) for layer in layers], axis=1)
        unit = unit_of(network.spec)
        self._shared = np.array([unit.strength, unit.slope], self._dtype)
        self._places = np.empty(self._sizes[:, : kernel.KIND].max(), np.int64)
        self._state = np.zeros((kernel.STATES, self._given.shape[1]), self._dtype)
        ends = np.cumsum(self._sizes[:, kernel.UNITS]).tolist()
        outputs = self._state[kernel.OUTPUT]
        self._outputs = dict(zip(names, np.split(outputs, ends[:-1]), strict=True))
        self._logits = self._outputs["readout"]

    def step(self, x: Array) -> Array:
        """Return logits (outputs,) after one more step, with inputs `x` (inputs,).

        Raises `UsageError` for inputs of another shape or precision; the state is then unchanged.
        """
        if not (isinstance(x, np.ndarray) and x.shape == self._inputs and x.dtype == self._dtype):
            raise UsageError(
                f"x is {_told(x)}; a step takes a numpy row of {self._dtype} of shape "
                f"{self._inputs}, one sample; convert it with numpy.asarray(x, {self._dtype})"
            )
        if not x.flags.c_contiguous:
            x = x.copy()
        kernel.step(
            x,
            self._sizes,
            self._shared,
            self._weights,
            self._given,
            self._state,
            self._places,
        )
        return self._logits.copy()

    def reset(self) -> None:
        """Return to rest, where a sequence begins."""
        self._state.fill(0)

    def outputs(self) -> dict[str, Array]:
        """Outputs (units,) of each layer in the latest step, by its name; zero before the first."""
        return {name: values.copy() for name, values in self._outputs.items()}


def _check_rows(network: SpikingNetwork) -> None:
    if network.windows:
        raise UsageError(
            "network.convolutions: a streamer takes layers that see their whole input as one row; "
            "use SpikingNetwork.step"
        )
    if network.spec.embedding is not None:
        raise UsageError(
            f"network.embedding = {network.spec.embedding}: a streamer takes rows of values and no "
            f"numbers of words; use SpikingNetwork.step"
        )


def _checked(name: str, layer: Any) -> _Layer:
    if not isinstance(layer, _Layer):
        raise UsageError(
            f"{name} is a {type(layer).__name__}; a streamer takes layers of spiking units and "
            f"dense, leaky or spiking readouts; use SpikingNetwork.step"
        )
    if not fused.supports(layer.weight):
        raise UsageError(
            f"{name} holds {layer.weight.dtype} on {layer.weight.device}; a streamer takes single "
            f"or double precision in memory; convert the network with network.to(...)"
        )
    return layer


def _sizes_of(layer: _Layer) -> tuple[int, ...]:
    if isinstance(layer, SpikingLayer):
        kind = kernel.KINDS.index(layer.unit.kind)
        return (*layer.weight.shape, int(layer.recurrent is not None), kind)
    return (*layer.weight.shape, 0, kernel.LEAKY if isinstance(layer, Leaky) else kernel.DENSE)


def _weights_of(layer: _Layer) -> Array:
    """All matrices of a layer, row after row."""
    recurrent = layer.recurrent if isinstance(layer, SpikingLayer) else None
    found = (layer.weight, recurrent)
    return np.concatenate([w.detach().numpy().ravel() for w in found if w is not None])


def _given_of(layer: _Layer) -> Array:
    """What each unit of a layer is given beside its weights: the rows of `given`."""
    zeros = torch.zeros_like(layer.weight[0])
    if isinstance(layer, SpikingLayer):
        unit, decays = layer.unit, layer.decays()
        membrane, trace = decays.membrane_of(unit, zeros), decays.adaptation_of(unit, zeros)
        rows = [zeros, layer.threshold, membrane, trace]
    else:
        decay = torch.sigmoid(layer.decay_logit) if isinstance(layer, Leaky) else zeros
        rows = [layer.bias, zeros, decay, zeros]
    return torch.stack([row.detach().expand_as(zeros) for row in rows]).numpy()


def _told(x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"{x.dtype} of shape {x.shape}"
    return f"a {type(x).__name__}"
