"""Pulse response without a law: increments against pulse number and conductance."""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.response_ramps import Ramps
from pcmsim.devices.laws import FloatArray


@dataclass(frozen=True)
class ResponseTable:
    """Increments of the mean of the reads from one pulse to the next [µS].

    pulse           number of the pulse, from 1 (k,)
    n, mean, mean_stderr, std
                    ramps, mean over them, its standard error and their spread (k,); the spread
                    holds the noise of both means and is NaN for a single ramp
    g, g_n, g_mean, g_mean_stderr, g_std
                    the same against the conductance read one pulse earlier (b,): its read error is
                    in no increment that follows
    mean_all, std_pulse
                    mean over all increments; mean over the pulses of the spread (divisor n)
    lag_one         covariance of successive increments about their mean at that pulse, or about a
                    moving mean for fewer than ten ramps: -σ_r² / reads [µS²]
    reads           reads of such a mean, harmonic mean over the pulses between two increments
    """

    pulse: FloatArray
    n: FloatArray
    mean: FloatArray
    mean_stderr: FloatArray
    std: FloatArray
    g: FloatArray
    g_n: FloatArray
    g_mean: FloatArray
    g_mean_stderr: FloatArray
    g_std: FloatArray
    mean_all: float
    std_pulse: float
    lag_one: float
    reads: float

    @property
    def read_std(self) -> float:
        """Noise σ_r of one read by the lag-one covariance [µS]; 0 if that is positive."""
        return float(np.sqrt(max(-self.lag_one * self.reads, 0.0)))


def tabulate_response(ramps: Ramps, bins: int = 12) -> ResponseTable:
    """Mean and spread of the increments; standard errors from whole clusters."""
    g = ramps.mean
    step = np.diff(g, axis=1)
    pulse = np.arange(1, step.shape[1] + 1)
    groups = np.broadcast_to(pulse - 1, step.shape)
    n, mean, stderr, std = _by_group(step, groups, ramps.cluster[:, 1:], pulse.size)
    before = g[:, :-2]
    later, cluster = step[:, 1:], ramps.cluster[:, 2:]
    edges = np.unique(np.nanquantile(before, np.linspace(0.0, 1.0, bins + 1)))
    which = np.clip(np.digitize(before, edges) - 1, 0, max(edges.size - 2, 0))
    which = np.where(np.isnan(before), -1, which)
    by_g = _by_group(later, which, cluster, max(edges.size - 1, 1))
    sums = np.bincount(which[which >= 0], before[which >= 0], by_g[0].size)
    level = sums / np.maximum(np.bincount(which[which >= 0], minlength=by_g[0].size), 1)
    several = n > 1
    spread = std[several] * np.sqrt((n[several] - 1) / n[several])
    std_pulse = float(spread.mean()) if several.any() else float("nan")
    lag_one, reads = _lag_one(step, mean), _reads(ramps)
    average = float(np.nanmean(step))
    return ResponseTable(
        pulse, n, mean, stderr, std, level, *by_g, average, std_pulse, lag_one, reads
    )


def _by_group(
    step: FloatArray, group: np.ndarray, cluster: np.ndarray, size: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Count, mean, standard error from clusters, and spread of the increments of each group."""
    use = np.isfinite(step) & (group >= 0)
    x, k, c = step[use], group[use], cluster[use]
    n = np.bincount(k, minlength=size).astype(float)
    mean = np.bincount(k, x, size) / np.where(n > 0, n, np.nan)
    off = x - mean[k]
    with np.errstate(divide="ignore", invalid="ignore"):
        std = np.sqrt(np.bincount(k, off**2, size) / np.where(n > 1, n - 1, np.nan))
        _, pair = np.unique(np.stack([k, c]), axis=1, return_inverse=True)
        total = np.bincount(pair, off)
        owner = np.zeros(total.size, dtype=np.int64)
        owner[pair] = k
        clusters = np.bincount(owner, minlength=size).astype(float)
        shrink = clusters / np.where(clusters > 1, clusters - 1, np.nan)
        stderr = np.sqrt(shrink * np.bincount(owner, total**2, size)) / n
    return n, mean, stderr, std


def _reads(ramps: Ramps) -> float:
    """Harmonic mean of the reads whose noise two successive increments share; 1 without any."""
    count = ramps.reads
    shared = count[:, 1:-1][(count[:, :-2] > 0) & (count[:, 1:-1] > 0) & (count[:, 2:] > 0)]
    return float(1.0 / np.mean(1.0 / shared)) if shared.size else 1.0


def _lag_one(step: FloatArray, mean: FloatArray) -> float:
    if step.shape[0] >= 10:
        off = step - mean
    else:
        width = min(51, step.shape[1])
        present = np.isfinite(step)
        kernel = np.ones(width)
        smooth = [
            np.convolve(np.where(p, s, 0.0), kernel, "same")
            / np.maximum(np.convolve(p, kernel, "same"), 1.0)
            for s, p in zip(step, present, strict=True)
        ]
        off = step - np.array(smooth)
    product = off[:, 1:] * off[:, :-1]
    return float(np.nanmean(product)) if np.isfinite(product).any() else 0.0
