"""Layers as thin modules: they hold parameters and call functions."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pcmsim.config import LeakyReadout, Network
from pcmsim.errors import UsageError
from pcmsim.networks.dense import dense
from pcmsim.networks.initial import decay_logits, glorot_uniform
from pcmsim.networks.leaky import leak, leak_step
from pcmsim.networks.scan import current_scan, layer_scan
from pcmsim.networks.unit import Decays, State, Unit, rest, step

Multiply = Callable[[str, Tensor], Tensor]


class SpikingLayer(nn.Module):
    """A layer of spiking units with a trainable threshold per unit.

    Decays that are trained are kept as their logits.
    """

    def __init__(
        self,
        name: str,
        sizes: tuple[int, int],
        unit: Unit,
        spec: Network,
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        inputs, units = sizes
        self.name = name
        self.unit = unit
        self.weight = glorot_uniform(inputs, units, generator, dtype)
        self.recurrent = glorot_uniform(units, units, generator, dtype) if spec.recurrent else None
        self.threshold = nn.Parameter(torch.full((units,), spec.threshold, dtype=dtype))
        self.decay_logit: nn.Parameter | None = None
        self.adaptation_logit: nn.Parameter | None = None
        if spec.trained_decay:
            drawn = (generator, dtype)
            self.decay_logit = decay_logits(units, spec.decay, spec.time_constants, *drawn)
            if spec.adaptation is not None:
                own = spec.adaptation
                self.adaptation_logit = decay_logits(units, own.decay, own.time_constants, *drawn)

    def decays(self) -> Decays:
        """Decays of each unit, where they are trained."""
        membrane, adaptation = self.decay_logit, self.adaptation_logit
        return Decays(
            None if membrane is None else torch.sigmoid(membrane),
            None if adaptation is None else torch.sigmoid(adaptation),
        )

    def forward(self, x: Tensor, multiply: Multiply | None = None) -> Tensor:
        """Return outputs (time, batch, units) for inputs `x` (time, batch, inputs)."""
        _check_inputs(self.name, x, self.weight)
        if multiply is None:
            return layer_scan(
                x, self.weight, self.recurrent, self.threshold, self.unit, self.decays()
            )

        def feedback(output: Tensor) -> Tensor:
            return _product(multiply, f"{self.name}.recurrent", output, self.threshold)

        currents = _product(multiply, f"{self.name}.weight", x, self.threshold)
        used = None if self.recurrent is None else feedback
        return current_scan(currents, used, self.threshold, self.unit, self.decays())

    def rest(self, batch: int) -> State:
        """State of `batch` sequences before their first step: zeros (batch, units)."""
        return rest(self.threshold.detach().expand(batch, -1))

    def step(self, state: State, x: Tensor, multiply: Multiply | None = None) -> State:
        """Return the state after one step with inputs `x` (batch, inputs)."""
        _check_inputs(self.name, x, self.weight, "batch")
        like = self.threshold
        taken = self._in_software if multiply is None else multiply
        current = _product(taken, f"{self.name}.weight", x, like)
        if self.recurrent is not None:
            current = current + _product(taken, f"{self.name}.recurrent", state.output, like)
        return step(state, current, self.threshold, self.unit, self.decays())

    def _in_software(self, name: str, rows: Tensor) -> Tensor:
        return rows @ self.get_parameter(name.removeprefix(f"{self.name}."))


class Readout(nn.Module):
    """A dense layer without state: logits = x W + bias."""

    def __init__(
        self, name: str, sizes: tuple[int, int], generator: torch.Generator, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.name = name
        self.weight = glorot_uniform(*sizes, generator, dtype)
        self.bias = nn.Parameter(torch.zeros(sizes[1], dtype=dtype))

    def forward(self, x: Tensor, multiply: Multiply | None = None) -> Tensor:
        """Logits (..., outputs) for inputs `x` (..., inputs)."""
        _check_inputs(self.name, x, self.weight)
        if multiply is None:
            return dense(x, self.weight, self.bias)
        return _product(multiply, f"{self.name}.weight", x, self.bias) + self.bias


class Leaky(nn.Module):
    """A dense layer whose logits leak, with a trained decay for each output."""

    def __init__(
        self,
        name: str,
        sizes: tuple[int, int],
        spec: LeakyReadout,
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.name = name
        self.weight = glorot_uniform(*sizes, generator, dtype)
        self.bias = nn.Parameter(torch.zeros(sizes[1], dtype=dtype))
        self.decay_logit = decay_logits(sizes[1], spec.decay, spec.time_constants, generator, dtype)

    def forward(self, x: Tensor, multiply: Multiply | None = None) -> Tensor:
        """Logits (time, batch, outputs) for inputs `x` (time, batch, inputs)."""
        return leak(self._values(x, multiply), torch.sigmoid(self.decay_logit))

    def rest(self, batch: int) -> State:
        """State of `batch` sequences before their first step: zeros (batch, outputs)."""
        return rest(self.bias.detach().expand(batch, -1))

    def step(self, state: State, x: Tensor, multiply: Multiply | None = None) -> State:
        """Return the state, whose output are the logits, after a step with `x` (batch, inputs)."""
        values = self._values(x, multiply)
        after = leak_step(state.potential, values, torch.sigmoid(self.decay_logit))
        return State(after, after)

    def _values(self, x: Tensor, multiply: Multiply | None) -> Tensor:
        _check_inputs(self.name, x, self.weight)
        if multiply is None:
            return dense(x, self.weight, self.bias)
        return _product(multiply, f"{self.name}.weight", x, self.bias) + self.bias


def _check_inputs(name: str, x: Tensor, weight: Tensor, axes: str = "time, batch") -> None:
    if x.shape[-1] != len(weight):
        raise UsageError(
            f"{name}: x has shape {tuple(x.shape)}; this layer takes ({axes}, {len(weight)} inputs)"
        )
    if (x.dtype, x.device) != (weight.dtype, weight.device):
        raise UsageError(
            f"{name}: x is {x.dtype} on {x.device} and the weights {weight.dtype} on "
            f"{weight.device}; convert x with x.to(...)"
        )


def _product(multiply: Multiply, name: str, rows: Tensor, like: Tensor) -> Tensor:
    """Return multiply(name, rows), refused unless it has the shape and precision to go on with."""
    result = multiply(name, rows)
    wanted = (*rows.shape[:-1], len(like))
    if tuple(result.shape) != wanted or result.dtype != like.dtype:
        raise UsageError(
            f"multiply({name!r}, rows) gave {result.dtype} of shape {tuple(result.shape)}; "
            f"the network needs {like.dtype} of shape {wanted}"
        )
    return result
