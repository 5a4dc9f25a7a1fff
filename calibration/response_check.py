"""Whether a fitted response gives back the ramps it was made from, pulse by pulse."""

from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.distributions import Distribution, compare
from pcmsim.calibration.records import IntArray
from pcmsim.calibration.response import ResponseFit
from pcmsim.calibration.response_ramps import Ramps
from pcmsim.devices.laws import FloatArray

# Ramps for a test at each pulse; with fewer, pulses are tested in this many groups.
_RAMPS, _GROUPS = 20, 20
_SURE, _SHARE = 5.0, 0.05


@dataclass(frozen=True)
class ResponseCheck:
    """Reads of ramps beside simulated ones.

    pulse           number of the pulse, from 1 (k,)
    g, g_stderr, g_predicted
                    mean rise since the first read, its standard error over the ramps (from the
                    simulation, where it is larger), and the simulated mean [µS] (k,)
    std, std_stderr, std_predicted
                    the same of the spread of the increment over ramps (k,)
    increments      Kolmogorov-Smirnov tests of the increments, by pulse or group of pulses
    """

    pulse: FloatArray
    g: FloatArray
    g_stderr: FloatArray
    g_predicted: FloatArray
    std: FloatArray
    std_stderr: FloatArray
    std_predicted: FloatArray
    increments: tuple[Distribution, ...]

    @property
    def rejected(self) -> tuple[str, ...]:
        """Pulses, or groups of them, whose increments are rejected at 1 %."""
        return tuple(test.label for test in self.increments if test.rejected())

    def faults(self) -> tuple[str, ...]:
        """Where the mean rise is off by more than 5 standard errors and 5 % of the whole rise."""
        allowed = _SHARE * np.nanmax(np.abs(self.g)) + _SURE * np.nan_to_num(self.g_stderr)
        excess = np.nan_to_num(np.abs(self.g_predicted - self.g) / allowed)
        k = int(np.argmax(excess))
        if excess[k] <= 1.0:
            return ()
        return (
            f"after pulse {self.pulse[k]:g} the conductance has changed by {self.g[k]:.4g} uS, "
            f"the set gives {self.g_predicted[k]:.4g} uS",
        )


def simulate_ramps(
    fit: ResponseFit, start: FloatArray, reads: IntArray, rng: np.random.Generator
) -> FloatArray:
    """Means of reads [µS] of one ramp of the fitted law from each conductance of `start` (n,).

    G ← clip(G + F μ_p(G) + σ_p(G) ξ) within the range that was read. After pulse p the mean of
    `reads[:, p]` reads is taken (n, p + 1), whose noise is σ_r / √reads; NaN where there are none.
    """
    low, high = fit.ramps.range_us
    factor = np.ones(start.size)
    if "set_device_std" in fit.estimate.names:
        factor = np.exp(fit.estimate["set_device_std"] * rng.standard_normal(start.size))
    read_std = fit.estimate["read_std_us"] / np.sqrt(np.where(reads > 0, reads, np.nan))
    g, means = np.array(start, dtype=np.float64), np.empty(reads.shape)
    for pulse in range(reads.shape[1]):
        if pulse:
            mean, std = fit.law(g, np.full(g.shape, float(pulse)))
            step = factor * mean + np.maximum(std, 0.0) * rng.standard_normal(g.size)
            g = np.clip(g + step, low, high)
        means[:, pulse] = g + read_std[:, pulse] * rng.standard_normal(g.size)
    return means


def check_response(
    fit: ResponseFit, ramps: Ramps, rng: np.random.Generator, copies: int = 50
) -> ResponseCheck:
    """Compare `ramps`, those of the fit or others, with `copies` simulated for each.

    Simulated ramps begin at the first reads, and are means of as many reads as the measured ones.
    """
    begun = ramps.reads[:, 0] > 0
    found, reads = ramps.mean[begun], ramps.reads[begun]
    n, pulses = found.shape[0], found.shape[1] - 1
    made = simulate_ramps(
        fit, np.repeat(found[:, 0], copies), np.repeat(reads, copies, axis=0), rng
    )
    use = np.asarray(np.isfinite(found[:, 1:]).any(axis=0))
    rise, made_rise = (x[:, 1:][:, use] - x[:, :1] for x in (found, made))
    step, made_step = np.diff(found, axis=1)[:, use], np.diff(made, axis=1)[:, use]
    count = np.isfinite(step).sum(axis=0)
    std, made_std = _spread(step), _spread(made_step)
    pulse = np.arange(1, pulses + 1)[use]
    return ResponseCheck(
        pulse,
        np.nanmean(rise, axis=0),
        np.fmax(_spread(rise), _spread(made_rise)) / np.sqrt(np.isfinite(rise).sum(axis=0)),
        np.nanmean(made_rise, axis=0),
        std,
        std / np.sqrt(2.0 * np.maximum(count - 1, 1)),
        made_std,
        _tests(pulse, step, made_step, by_pulse=n >= _RAMPS),
    )


def _spread(x: FloatArray) -> FloatArray:
    """Standard deviation over rows; NaN for fewer than two."""
    count = np.isfinite(x).sum(axis=0)
    mean = np.nansum(x, axis=0) / np.maximum(count, 1)
    square = np.nansum((x - mean) ** 2, axis=0)
    return np.where(count > 1, np.sqrt(square / np.maximum(count - 1, 1)), np.nan)


def _tests(
    pulse: FloatArray, step: FloatArray, made: FloatArray, by_pulse: bool
) -> tuple[Distribution, ...]:
    size = pulse.size
    groups = np.arange(size) if by_pulse else np.arange(size) * min(_GROUPS, size) // size
    tests = []
    for group in np.unique(groups):
        at = groups == group
        label = " to ".join(f"{x:g}" for x in dict.fromkeys((pulse[at][0], pulse[at][-1])))
        if np.isfinite(step[:, at]).sum() >= 5 and np.isfinite(made[:, at]).any():
            found, predicted = step[:, at].ravel(), made[:, at].ravel()
            tests.append(compare(f"pulse {label}", 0.0, found, predicted))
    return tuple(tests)
