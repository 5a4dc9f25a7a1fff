"""First and second moments of programming curves: one melting pulse at each current, read once.

A pulse of the current I leaves max(0, f e^(σ_c ξ) + σ_n ξ') with
f = top g_max / (1 + exp((I - I_half - δ) / w)); δ ~ N(0, σ_δ) belongs to the device and is all that
its pulses share.
"""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.clipped import clipped_mean, clipped_square
from pcmsim.calibration.drift_model import mean_decay
from pcmsim.calibration.noise_model import NoiseModel
from pcmsim.devices.laws import FloatArray, Law

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)


@dataclass(frozen=True)
class CurveModel:
    """Moments of the reads of a device, sweep by sweep, current by current.

    A function of (top, I_half, w, σ_δ, σ_c, σ_n), with top in units of g_max, currents and widths
    in µA and σ_n in µS.

    current_ua      currents of a sweep (k,)
    sweeps          sweeps of each device
    t_s, t0_s       time from a pulse to its read; age at which conductances are defined [s]
    nu_mean, nu_std laws of the drift exponent
    """

    current_ua: FloatArray
    sweeps: int
    t_s: float
    t0_s: float
    g_max: float
    nu_mean: Law
    nu_std: Law
    noise: NoiseModel
    instrument_variance: float

    def __call__(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean (sweeps k,) [µS] and covariance [µS²]; NaN where there is no such device."""
        size = self.sweeps * self.current_ua.size
        if theta[2] <= 0.0 or theta[0] <= 0.0:
            return np.full(size, np.nan), np.full((size, size), np.nan)
        top, half, width, device, cycle, noise = (float(x) for x in theta)
        shift = device * _NODES[:, None]
        excess = np.clip((self.current_ua - half - shift) / width, -700.0, 700.0)
        f = top * self.g_max / (1.0 + np.exp(excess))
        center = f * np.exp(0.5 * cycle**2)
        spread = np.sqrt(center**2 * np.expm1(cycle**2) + noise**2)
        first, square = clipped_mean(center, spread), clipped_square(center, spread)
        once, twice = self._decay(first)
        read = self._power(center, spread) * float(self.noise.variance(np.array([self.t_s]))[0])
        means = first * once
        weights = _WEIGHTS / _WEIGHTS.sum()
        mean = weights @ means
        shared = (weights[:, None] * means).T @ means
        own = weights @ ((square + read) * twice) + self.instrument_variance
        covariance = np.kron(np.ones((self.sweeps, self.sweeps)), shared - np.outer(mean, mean))
        extra = np.tile(own - np.diag(shared), self.sweeps)
        return np.tile(mean, self.sweeps), covariance + np.diag(extra)

    def _power(self, center: FloatArray, spread: FloatArray) -> FloatArray:
        """E[Q² G²] over what pulses leave: Q depends on each conductance."""
        g = np.maximum(0.0, center[..., None] + spread[..., None] * _NODES)
        return np.asarray((self.noise.q(g) * g) ** 2 @ (_WEIGHTS / _WEIGHTS.sum()))

    def _decay(self, g: FloatArray) -> tuple[FloatArray, FloatArray]:
        """E (t/t0)^-ν and E (t/t0)^-2ν at the conductances `g` [µS]."""
        x = np.log(self.t_s / self.t0_s)
        relative = np.minimum(g / self.g_max, 1.0)
        mean, std = self.nu_mean(relative), self.nu_std(relative)
        decays = [
            np.vectorize(lambda m, s, x=x: mean_decay(np.array(x), m, s**2))(mean, std)
            if x != 0.0
            else np.ones_like(g)
            for x in (x, 2.0 * x)
        ]
        return decays[0], decays[1]
