"""How a network on its arrays does as time goes by, with each kind of compensation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pcmsim.datasets import Sequences
from pcmsim.loop import judging
from pcmsim.loop.crossbar import Crossbar, FloatArray
from pcmsim.loop.evaluation import evaluate
from pcmsim.loop.loop_network import LoopNetwork
from pcmsim.loop.recalibration import Compensation, correction, reference
from pcmsim.networks import real_rows


@dataclass(frozen=True)
class Measured:
    """Metric [nat/step] with one compensation at `t_s` [s] after the stage began.

    `at_s` is what the clock showed when it was measured: on an instrument, where measuring takes
    time, it may be later.
    """

    compensation: str
    t_s: float
    at_s: float
    per_step: float
    per_sequence: float


def follow(
    model: LoopNetwork,
    test: Sequences,
    calibration: Sequences,
    kinds: Sequence[Compensation],
    times_s: Sequence[float],
) -> list[Measured]:
    """Wait until each of `times_s`, counted from now, and measure `test` with each of `kinds`.

    The reference of all compensations is taken now, with the sequences of `calibration` for the
    affine one. The clock of the arrays runs along; `model` keeps the correction it came with.
    """
    crossbars: dict[str, Crossbar] = {n: a.crossbar for n, a in model.arrays.items()}
    clock = next(iter(crossbars.values())).clock
    began_s, before = clock.now_s, model.correction
    model.look()
    known = reference(crossbars, _inputs(model, calibration) if "affine" in kinds else {})
    scales = {
        name: array.scale * model.scale_of(name).detach().numpy()
        for name, array in model.arrays.items()
    }
    found = []
    for t_s in times_s:
        clock.wait(max(began_s + t_s - clock.now_s, 0.0))
        at_s = clock.now_s - began_s
        model.look()
        for kind in kinds:
            model.correction = correction(crossbars, kind, known, scales)
            test_result = evaluate(model.network, test, model.multiply)
            found.append(Measured(kind, t_s, at_s, test_result.per_step, test_result.per_sequence))
    model.correction = before
    return found


def _inputs(model: LoopNetwork, calibration: Sequences) -> dict[str, FloatArray]:
    """Inputs that each matrix receives while the calibration sequences are played, padding left."""
    batch = calibration.batch(range(len(calibration)))
    seen: dict[str, list[FloatArray]] = {}

    def multiply(name: str, rows: Tensor) -> Tensor:
        # Recurrent connections are asked step by step, and their steps are counted here.
        step = len(seen.get(name, ()))
        mask = torch.from_numpy(batch.mask)
        real = real_rows(mask, rows) if rows.ndim == 3 else mask[step]
        seen.setdefault(name, []).append(rows.detach()[real].numpy())
        return model.multiply(name, rows)

    with torch.no_grad():
        model.network(judging.inputs(batch), multiply)
    return {name: np.concatenate(parts) for name, parts in seen.items()}
