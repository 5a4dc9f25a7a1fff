"""Layers as thin modules: they hold parameters and call functions."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pcmsim.errors import UsageError
from pcmsim.networks.dense import dense
from pcmsim.networks.scan import current_scan, layer_scan
from pcmsim.networks.unit import State, Unit, rest, step

Multiply = Callable[[str, Tensor], Tensor]


def glorot_uniform(
    rows: int, columns: int, generator: torch.Generator, dtype: torch.dtype
) -> nn.Parameter:
    """Weights (rows = inputs, columns = outputs), uniform within sqrt(6 / (rows + columns)).

    Glorot and Bengio, AISTATS 2010 (PMLR 9, 249).
    """
    # Drawn in double precision, so that both precisions start from the same weights.
    values = torch.rand(rows, columns, generator=generator, dtype=torch.float64)
    limit = (6.0 / (rows + columns)) ** 0.5
    return nn.Parameter(((2.0 * values - 1.0) * limit).to(dtype))


class SpikingLayer(nn.Module):
    """A layer of spiking neural units with a trainable threshold per unit."""

    def __init__(
        self,
        name: str,
        sizes: tuple[int, int],
        unit: Unit,
        recurrent: bool,
        threshold: float,
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        inputs, units = sizes
        self.name = name
        self.unit = unit
        self.weight = glorot_uniform(inputs, units, generator, dtype)
        self.recurrent = glorot_uniform(units, units, generator, dtype) if recurrent else None
        self.threshold = nn.Parameter(torch.full((units,), threshold, dtype=dtype))

    def forward(self, x: Tensor, multiply: Multiply | None = None) -> Tensor:
        """Return outputs (time, batch, units) for inputs `x` (time, batch, inputs)."""
        _check_inputs(self.name, x, self.weight)
        if multiply is None:
            return layer_scan(x, self.weight, self.recurrent, self.threshold, self.unit)

        def feedback(output: Tensor) -> Tensor:
            return _product(multiply, f"{self.name}.recurrent", output, self.threshold)

        currents = _product(multiply, f"{self.name}.weight", x, self.threshold)
        used = None if self.recurrent is None else feedback
        return current_scan(currents, used, self.threshold, self.unit)

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
        return step(state, current, self.threshold, self.unit)

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
