"""What a mitigation works on: one chip with its network, and what has been spent on it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcmsim.config import Calibration
from pcmsim.crossbar import Chip, pair_targets
from pcmsim.crossbar.chip import Method
from pcmsim.crossbar.mapping import FloatArray
from pcmsim.datasets import Batch, Dataset
from pcmsim.loop import inputs
from pcmsim.mitigations.cost import Cost
from pcmsim.networks import Multiply, SpikingNetwork, real_rows

IntArray = NDArray[np.intp]
# Per matrix the factor and the offset that its outputs pass, each of shape (columns,) or (1,).
Correction = Mapping[str, tuple[FloatArray, FloatArray]]
UNTOUCHED: Correction = {}


@dataclass
class Site:
    """A chip that holds `network`; measurements are counted in `cost`.

    `dataset` is what may be used beside the chip: compensations play the inputs of some training
    sequences, retraining their targets too. Retraining changes `network`, of which every site has
    its own copy, and the digital `gains` (columns,) by matrix; `restored` is the factor against
    drift that is part of the gains of a matrix. `extras` are matrices of a mitigation
    beside those of the network, by name with their targets [µS].
    """

    chip: Chip
    network: SpikingNetwork
    dataset: Dataset
    settings: Calibration
    gains: dict[str, FloatArray] = field(default_factory=dict)
    restored: dict[str, float] = field(default_factory=dict)
    extras: dict[str, FloatArray] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)

    @property
    def matrices(self) -> tuple[str, ...]:
        """Names of the network's matrices, in the order in which inputs pass them."""
        return tuple(self.network.matrices())

    def multiply(self, name: str, x: FloatArray) -> FloatArray:
        """Product x W measured on the chip now; shapes (n, rows) -> (n, columns)."""
        rows, columns = self.chip.matrices[name].shape
        self.cost += Cost(products=len(x), macs=len(x) * rows * columns)
        return self.chip.multiply(name, x)

    def weights(self, name: str) -> FloatArray:
        """Weights (rows, columns) as one product with each one-hot vector shows them now."""
        rows, columns = self.chip.matrices[name].shape
        self.cost += Cost(products=rows, macs=rows * columns)
        return self.chip.weights(name)

    def read(self, name: str) -> FloatArray:
        """Conductances [µS] as one read of every device shows them, (2, pairs, rows, columns).

        Counted as a product for each row of each of the 2 pairs arrays.
        """
        polarities, pairs, rows, columns = self.chip.matrices[name].device_shape
        products = polarities * pairs * rows
        self.cost += Cost(products=products, macs=products * columns)
        return self.chip.read(name)

    def write(
        self,
        name: str,
        g_target: FloatArray,
        where: FloatArray | None = None,
        method: Method | None = None,
    ) -> None:
        """Program devices of a matrix to `g_target` [µS], those of `where` or all."""
        devices = np.size(g_target) if where is None else np.count_nonzero(where)
        self.cost += Cost(programmed=int(devices))
        self.chip.write(name, g_target, where, method)

    def targets(self, name: str) -> FloatArray:
        """Conductances [µS] that devices of a matrix should have, (2, pairs, rows, columns)."""
        chip, weight = self.chip, self.network.matrices()[name].detach().numpy()
        pairs = chip.hardware.pairs
        return pair_targets(weight, chip.matrices[name].scale, chip.values.g_max, pairs)

    def multiplier(self, correction: Correction = UNTOUCHED) -> Multiply:
        """Products for a network: measured, corrected, times the gain of each column.

        Inference itself is no cost of a mitigation.
        """

        def multiply(name: str, rows: Tensor) -> Tensor:
            x = rows.detach().numpy()
            y = self.chip.multiply(name, x)
            return torch.from_numpy(self.corrected(name, y, correction))

        return multiply

    def corrected(self, name: str, y: FloatArray, correction: Correction) -> FloatArray:
        """Outputs of a matrix through the digital periphery: (y factor + offset) gain."""
        if name in correction:
            factor, offset = (np.asarray(part, dtype=y.dtype) for part in correction[name])
            y = y * factor
            y += offset
        if name in self.gains:
            y = y * np.asarray(self.gains[name], dtype=y.dtype)
        return y

    def play(
        self, correction: Correction = UNTOUCHED, last: str | None = None
    ) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
        """Play the calibration sequences, without their targets; padding is left out.

        Returns by matrix the input rows (n, rows) it received, and its outputs (n, columns) as
        they were measured, before any correction. `correction` acts while they play. What comes
        after the matrix `last` is not played, and costs nothing.
        """
        played = self._played(correction, last)
        self._run(played)
        return played.rows(played.inputs), played.rows(played.outputs)

    def answers(self, correction: Correction = UNTOUCHED) -> tuple[FloatArray, IntArray]:
        """Play as `play` does; what the network answers (n, outputs), and at which step (n,)."""
        played = self._played(correction, None)
        found = self._run(played)
        return found[played.real].numpy(), np.nonzero(played.real.numpy())[0]

    def _played(self, correction: Correction, last: str | None) -> "Played":
        train = self.dataset.train
        batch = train.batch(range(min(self.settings.sequences, len(train))))
        return Played(self, batch, correction, last)

    def _run(self, played: "Played") -> Tensor:
        """What the network answers; nothing where it was not played to its end."""
        with torch.no_grad(), suppress(_Enough):
            found: Tensor = self.network(inputs(played.batch), played)
            return found
        return torch.empty(0)


class _Enough(Exception):  # noqa: N818 - nothing is wrong
    """All that was asked for has been played."""


class Played:
    """Products of a site while sequences are played, remembered without their padding."""

    def __init__(self, site: Site, batch: Batch, correction: Correction, last: str | None) -> None:
        self._site, self._correction = site, correction
        self.batch, self.real = batch, torch.from_numpy(batch.mask)
        names = site.matrices
        self._wanted = names if last is None else names[: names.index(last) + 1]
        self.inputs: dict[str, list[FloatArray]] = {}
        self.outputs: dict[str, list[FloatArray]] = {}

    def __call__(self, name: str, rows: Tensor) -> Tensor:
        """Measure, remember and correct; recurrent connections come step by step."""
        if name not in self._wanted:
            raise _Enough
        step = len(self.inputs.get(name, ()))
        real = real_rows(self.real, rows) if rows.ndim == 3 else self.real[step]
        x = np.ascontiguousarray(rows.detach()[real].numpy())
        y = self._site.multiply(name, x)
        self.inputs.setdefault(name, []).append(x)
        self.outputs.setdefault(name, []).append(y)
        whole = torch.zeros(*rows.shape[:-1], y.shape[1])
        whole[real] = torch.from_numpy(self._site.corrected(name, y, self._correction))
        return whole

    @staticmethod
    def rows(seen: dict[str, list[FloatArray]]) -> dict[str, FloatArray]:
        """All rows of each matrix in one array."""
        return {name: np.concatenate(parts) for name, parts in seen.items()}
