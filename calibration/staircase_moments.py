"""Exact first and second moments of SET staircases, clips and device factors included.

A pulse acts on the drifted conductance, G ← clip(G + F μ_p(G) + σ_p(G) ξ), with
μ = m1 G + c1 + A1 e^(-p/α) and σ = m2 G + c2 + A2 e^(-p/α) of Nandakumar et al. 2018,
doi:10.1063/1.5042408. The density of G is carried from pulse to pulse on a grid, with an atom at
each clip, for a few values of the device's factor F = exp(s ξ). A regression of increments on
conductances would be biased: both hold the same read error, and one step in seven is clipped.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from pcmsim.calibration.noise_model import NoiseModel
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.pulse_laws import Accumulation

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_CELL = 0.2  # of the grid [µS]; the narrowest step is wider


@dataclass(frozen=True)
class Protocol:
    """How staircases were taken, and what is known of the devices.

    pulses          SET pulses of one staircase
    cycles          staircases of each device
    read_after_s    times from a pulse to its reads [s] (r,)
    interval_s      time from pulse to pulse [s]
    t0_s            age at which conductances are defined [s]
    nu_reset, nu_set
                    mean drift exponents before and after the first pulse
    reset_median, reset_log_std
                    conductance after RESET [µS]
    g_min, g_max    range that pulses do not leave [µS]
    noise           read noise
    instrument_variance
                    variance that the instrument adds to a read [µS²]
    """

    pulses: int
    cycles: int
    read_after_s: FloatArray
    interval_s: float
    t0_s: float
    nu_reset: float
    nu_set: float
    reset_median: float
    reset_log_std: float
    g_min: float
    g_max: float
    noise: NoiseModel
    instrument_variance: float


@dataclass(frozen=True)
class StaircaseModel:
    """Moments of all reads of a device: cycle by cycle, pulse by pulse, read by read.

    A function of (m1, c1, A1, m2, c2, A2, α, s).
    """

    protocol: Protocol

    def __call__(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean (k,) [µS] and covariance (k, k) [µS²]; NaN where there is no such device."""
        p = self.protocol
        k = p.cycles * p.pulses * p.read_after_s.size
        if theta[6] <= 0.05 or theta[7] < 0.0:
            return np.full(k, np.nan), np.full((k, k), np.nan)
        law = Accumulation(*(float(x) for x in theta[:7]))
        grid = _grid(p)
        weights = _WEIGHTS / _WEIGHTS.sum()
        factors = np.exp(float(theta[7]) * _NODES)
        found = [_propagated(p, law, factor, grid) for factor in factors]
        means = np.array([m for m, _, _ in found])
        mean = weights @ means
        within = np.tensordot(weights, np.array([s for _, s, _ in found]), axes=1)
        power = weights @ np.array([q for _, _, q in found])
        between = (weights[:, None] * means).T @ means
        return _as_read(p, mean, within, between, power)


def _grid(p: Protocol) -> FloatArray:
    """Conductances [µS]: the two clips, and the middles of the cells between them."""
    cells = int(np.ceil((p.g_max - p.g_min) / _CELL))
    edges = np.linspace(p.g_min, p.g_max, cells + 1)
    return np.concatenate([[p.g_min], 0.5 * (edges[1:] + edges[:-1]), [p.g_max]])


def _propagated(
    p: Protocol, law: Accumulation, factor: float, grid: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """E[G_p], E[G_p G_q] and E[Q² G_p²] for a device of the given factor (P,), (P, P), (P,)."""
    q_square = (p.noise.q(grid) * grid) ** 2
    decay = (p.interval_s / p.t0_s) ** -p.nu_set
    state, tags = _first_pulse(p, law, factor, grid), np.zeros((p.pulses, grid.size))
    mean, second = np.zeros(p.pulses), np.zeros((p.pulses, p.pulses))
    power = np.zeros(p.pulses)
    for pulse in range(p.pulses):
        if pulse:
            move = _transition(p, law, factor, grid * decay, pulse + 1.0, grid)
            state, tags = state @ move, tags @ move
        tags[pulse] = state * grid
        mean[pulse], power[pulse] = state @ grid, state @ q_square
        second[: pulse + 1, pulse] = tags[: pulse + 1] @ grid
        second[pulse, : pulse + 1] = second[: pulse + 1, pulse]
    return mean, second, power


def _first_pulse(p: Protocol, law: Accumulation, factor: float, grid: FloatArray) -> FloatArray:
    """Probabilities on the grid after the first pulse, averaged over RESET conductances."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    g = p.reset_median * np.exp(p.reset_log_std * nodes)
    g = g * (p.interval_s / p.t0_s) ** -p.nu_reset
    move = _transition(p, law, factor, g, 1.0, grid)
    return np.asarray(weights / weights.sum() @ move)


def _transition(
    p: Protocol,
    law: Accumulation,
    factor: float,
    g: FloatArray,
    pulse: float,
    grid: FloatArray,
) -> FloatArray:
    """Probabilities (g.size, grid.size) of where a pulse leads from the conductances `g` [µS]."""
    mean, std = law(g, np.full(g.shape, pulse))
    mean, std = g + factor * mean, np.maximum(std, 1e-6)
    cell = (grid[-1] - grid[0]) / (grid.size - 2)
    edges = grid[0] + cell * np.arange(grid.size - 1)
    below = ndtr((edges - mean[:, None]) / std[:, None])
    move = np.empty((g.size, grid.size))
    move[:, 0], move[:, -1] = below[:, 0], 1.0 - below[:, -1]
    move[:, 1:-1] = np.diff(below, axis=1)
    return move


def _as_read(
    p: Protocol, mean: FloatArray, within: FloatArray, between: FloatArray, power: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Moments of the reads: drift since t0, read noise within a step, cycles alike."""
    r = p.read_after_s.size
    decay = (p.read_after_s / p.t0_s) ** -p.nu_set
    each = np.outer(decay, decay)
    noise = p.noise.covariance(p.read_after_s)
    same = np.kron(within, each) + np.kron(np.diag(power), each * noise)
    same += p.instrument_variance * np.eye(p.pulses * r)
    other = np.kron(between, each)
    blocks = np.kron(np.eye(p.cycles), same) + np.kron(1.0 - np.eye(p.cycles), other)
    reads = np.tile(np.kron(mean, decay), p.cycles)
    return reads, blocks - np.outer(reads, reads)
