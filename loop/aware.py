"""Noise- and drift-aware training in software: every batch sees devices of its own.

The passes of a batch use weights as a chip of the parameter set would show them that was programmed
with the present weights and has reached an age drawn log-uniformly; the step is taken from the
undisturbed weights (straight through). Joshi et al., doi:10.1038/s41467-020-16108-9. Weights are
held within a few root mean squares of their column, so that none has to be clipped on the chip.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pcmsim.config import Aware, Hardware
from pcmsim.crossbar import weight_scale
from pcmsim.devices import (
    Values,
    age_s,
    drifted,
    noise_amplitude,
    placement_std,
    relative_std,
    reset_conductance,
    standard_normal,
    stuck_set_conductance,
)
from pcmsim.loop.crossbar import FloatArray
from pcmsim.networks import SpikingNetwork
from pcmsim.rng import stream

# One pair for each weight, and a scale for each column.
COLUMNS = Hardware(scale="column")


def drawn_conductance(
    values: Values, g_target: FloatArray, t_s: float, rng: np.random.Generator
) -> FloatArray:
    """Conductances [µS] of healthy devices drawn anew, `t_s` [s] after programming, in one read.

    G_T + σ(G_T) ξ₁, drifted with ν = |μ + σ_ν ξ₂| (or relaxed, with z = ξ₂), times 1 + Q σ_read ξ₃,
    and not below zero; `g_target` [µS] is float32 of any shape. The marginal law of a device that
    is programmed once and read once, without the identity that `pcmsim.devices.program` gives it.
    """
    relative = g_target / np.float32(values.g_max)
    xi = standard_normal(rng, (3, *g_target.shape))
    g = np.maximum(g_target + placement_std(values, g_target) * xi[0], 0).astype(np.float32)
    # As wide as for the conductance that was reached, not the one that was wanted.
    noise = noise_amplitude(values, g)
    age = age_s(values, t_s)
    if values.relaxation is not None:
        g = values.relaxation.relaxed(g, values.g_max, max(age - values.t0_s, 0.0), xi[1])
    else:
        nu = np.abs(values.nu_mean(relative) + values.nu_std(relative) * xi[1]) * values.projection
        g = drifted(g, nu.astype(np.float32), age, values.t0_s)
    noise *= np.float32(relative_std(values, age)) * xi[2]
    return np.asarray(np.maximum(g * (1 + noise), 0))


def drawn_weight(
    values: Values,
    weight: FloatArray,
    t_s: float,
    faults: float,
    rng: np.random.Generator,
    hardware: Hardware = COLUMNS,
) -> FloatArray:
    """`weight` (rows, columns) as pairs of devices drawn anew show it, compensated by one factor.

    Scaled as `hardware` says, without clipping. The devices that carry no weight show nothing; of
    all devices the share `faults` times that of the set is broken, and shows what it does.
    """
    unclipped = hardware.model_copy(update={"clip_std": None})
    scale = weight_scale(weight, values, unclipped).astype(weight.dtype)
    g_target = np.broadcast_to(np.abs(weight) / scale, (hardware.pairs, *weight.shape))
    g = drawn_conductance(values, g_target, t_s, rng)
    g[g_target == 0.0] = 0.0
    g *= g_target.sum() / max(float(g.sum()), 1e-6)
    sides = np.stack([np.where(weight > 0, g, 0), np.where(weight < 0, g, 0)])
    _break(values, sides, faults, rng)
    return np.asarray((sides[0] - sides[1]).mean(axis=0) * scale, dtype=weight.dtype)


def _break(values: Values, g: FloatArray, faults: float, rng: np.random.Generator) -> None:
    """Let devices of `g` [µS] be broken: the share `faults` times that of the set."""
    chances = np.array([values.p_stuck_reset, values.p_stuck_set, values.p_untunable])
    n = rng.binomial(g.size, min(faults * chances.sum(), 1.0))
    if n == 0:
        return
    kind = rng.choice(3, size=n, p=chances / chances.sum())
    levels = (
        reset_conductance(values, rng.standard_normal(n)),
        stuck_set_conductance(values, rng.standard_normal(n)),
        rng.random(n) * values.g_max,
    )
    g.reshape(-1)[rng.integers(g.size, size=n)] = np.choose(kind, levels)


def hold(weight: Tensor, rms: float) -> None:
    """Clip each column of `weight` (rows, columns) to `rms` of its root mean squares, in place."""
    with torch.no_grad():
        bound = rms * weight.square().mean(0, keepdim=True).sqrt()
        weight.clamp_(-bound, bound)


def hold_all(network: SpikingNetwork, rms: Sequence[float]) -> None:
    """`hold` the matrices of `network`: `rms` of each in turn, the last for all that follow."""
    for i, weight in enumerate(network.matrices().values()):
        hold(weight, rms[min(i, len(rms) - 1)])


@dataclass(frozen=True)
class Disturbance:
    """Devices of `values` for every batch, as `aware` says; streams are named under `seed`."""

    values: Values
    aware: Aware
    seed: int
    hardware: Hardware = COLUMNS

    @contextmanager
    def drawn(self, network: SpikingNetwork, *address: int) -> Iterator[None]:
        """Give `network` the weights that devices drawn anew show, until the block ends.

        A table that words are looked up in stays as it is, for it is digital memory, also where
        its numbers are those of the readout: that product alone is disturbed.
        """
        clean = {name: weight.detach().clone() for name, weight in network.matrices().items()}
        rng = stream(self.seed, "aware", *address)
        t_s = float(np.exp(rng.uniform(0.0, np.log(self.aware.longest_s))))
        shown = {
            name: drawn_weight(
                self.values, weight.numpy(), t_s, self.aware.faults, rng, self.hardware
            )
            for name, weight in clean.items()
        }
        _assign(network, {name: torch.from_numpy(weight) for name, weight in shown.items()})
        if network.spec.tied:
            network.table_above = clean["readout.weight"] - network.readout.weight.detach()
        try:
            yield
        finally:
            network.table_above = None
            _assign(network, clean)

    def hold(self, network: SpikingNetwork) -> None:
        """Hold the weights of all matrices within their bounds."""
        hold_all(network, self.aware.clip_rms)


def _assign(network: SpikingNetwork, weights: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, weight in network.matrices().items():
            weight.copy_(weights[name])
