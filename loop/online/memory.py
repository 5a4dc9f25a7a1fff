"""What online learning carries from one time step to the next, the same for any length."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pcmsim.networks import SpikingNetwork
from pcmsim.networks.layers import SpikingLayer
from pcmsim.networks.unit import State


@dataclass(frozen=True)
class LayerMemory:
    """State of a layer of n units, and how it depends on the layer's parameters.

    `slope` (batch, n) is dy/dz of the last step, zero at rest. `eligibility` is dz/dparameter with
    z = s - threshold; row 0 belongs to the thresholds and row r to the weights from source
    `sources[r - 1]`, an input or, counted on, a unit of the layer itself through the recurrent
    matrix. Sources that have been silent so far have no row, for theirs would be zero. It has
    shape (batch, rows, n) where the Jacobian is diagonal, else (batch, rows, n, n): parameter of
    unit j, potential of unit k.
    """

    state: State
    slope: Tensor
    sources: Tensor
    eligibility: Tensor

    @property
    def diagonal(self) -> bool:
        """Whether a parameter reaches no potential but that of its own unit."""
        return self.eligibility.ndim == 3


Memory = tuple[LayerMemory, ...]


def rest(network: SpikingNetwork, batch: int = 1, recurrence: bool = True) -> Memory:
    """Memory before the first step of `batch` sequences.

    With `recurrence`, layers with recurrent connections have eligibilities for all pairs of units.
    """
    return tuple(_layer_rest(layer, batch, recurrence) for layer in layers(network))


def layers(network: SpikingNetwork) -> list[SpikingLayer]:
    """Hidden layers of `network`, the first one first."""
    return [network.get_submodule(name) for name in network.hidden]  # type: ignore[misc]


def _layer_rest(layer: SpikingLayer, batch: int, recurrence: bool) -> LayerMemory:
    state = layer.rest(batch)
    ones = torch.ones_like(layer.threshold.detach())
    # A potential at rest does not know its threshold: dz/dthreshold = -1.
    own = torch.diag(ones) if recurrence and layer.recurrent is not None else ones
    eligibility = -own.expand(batch, 1, *own.shape)
    sources = torch.zeros(0, dtype=torch.int64)
    return LayerMemory(state, torch.zeros_like(state.output), sources, eligibility)


def with_sources(memory: LayerMemory, rows: Tensor) -> LayerMemory:
    """Give those of `rows` (..., sources) that speak for the first time eligibilities of zero."""
    speaking = (rows != 0.0).flatten(0, -2).any(0)
    speaking[memory.sources] = False
    new = speaking.nonzero().flatten()
    if not len(new):
        return memory
    batch, _, *shape = memory.eligibility.shape
    silent = memory.eligibility.new_zeros(batch, len(new), *shape)
    grown = torch.cat([memory.eligibility, silent], dim=1)
    return replace(memory, sources=torch.cat([memory.sources, new]), eligibility=grown)
