"""1/f read noise that remembers: the same device read twice in a second agrees with itself.

The noise of a device is a sum of modes (`pcmsim.devices.modes`). The amplitude of a mode is
Gaussian and is renewed at random instants, a Poisson process of rate λ, as if a trap had captured
or released its charge. The stationary process has the autocovariance σ² exp(-λ τ) of an
Ornstein-Uhlenbeck mode, and so its spectrum; it is not jointly Gaussian, for a mode keeps its
value and then jumps. Counted from a pulse, a mode is zero until its first renewal:

    <n(s) n(t)> = σ² (1 - exp(-λ s)) exp(-λ (t - s))     for times s <= t after the pulse,

so that the variance grows like ln t, as in the published marginal form.

Instants and amplitudes are hashes of (key, device, mode, interval of time) and not draws from a
sequence, so the noise is a function of time: no state is kept, and what a device shows at noon
does not depend on who looked at it in the morning.
"""

import numpy as np

from pcmsim.devices.kernels import renewal_sum
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.modes import Modes
from pcmsim.errors import UsageError

# Intervals of time are counted in double precision, which has no fractions beyond this.
_FINEST = 2.0**50


def fluctuation(
    band: Modes,
    shape: tuple[int, ...],
    key: int,
    now_s: float,
    pulse_s: float | FloatArray | None,
    numbers: np.ndarray | None = None,
) -> FloatArray:
    """Relative fluctuation of each device at the clock time `now_s` [s], in units of Q.

    `key` names the array (see `pcmsim.rng.key`); device i of the flattened `shape` has its own
    history. The fluctuation counts from the programming pulse at `pulse_s` [s], one for all
    devices or an array of the given shape; None gives the stationary process. `numbers` (int64)
    picks devices out of a larger array, one for each of `shape`. Returns float32 of the given
    shape. Raises `UsageError` for times so late that the instants of fast modes can no
    longer be told apart.

    >>> from pcmsim.devices.modes import modes
    >>> band = modes(1e-6, 1e2)
    >>> a, b = (fluctuation(band, (3,), 7, t, 0.0) for t in (1000.0, 1000.0))
    >>> bool((a == b).all())
    True
    """
    intervals, fractions = instant(band, now_s)
    out = np.empty(shape, dtype=np.float32)
    renewal_sum(
        np.uint64(key),
        band.rates_per_s,
        band.stds,
        intervals,
        fractions,
        last_pulses(shape, pulse_s),
        np.empty(0, np.int64) if numbers is None else numbers,
        out.reshape(-1),
    )
    return out


def instant(band: Modes, now_s: float) -> tuple[FloatArray, FloatArray]:
    """Interval of 1/λ in which `now_s` [s] lies, and the position in it, for each mode.

    >>> instant(Modes(np.array([0.1, 1.0]), np.ones(2)), 12.5)
    (array([ 1., 12.]), array([0.25, 0.5 ], dtype=float32))
    """
    if not abs(now_s) * band.rates_per_s.max(initial=0.0) < _FINEST:
        raise UsageError(
            f"t = {now_s:g} s is too late for noise with rates up to "
            f"{band.rates_per_s.max():g} 1/s: their product must stay below {_FINEST:g}"
        )
    t = float(now_s) * band.rates_per_s
    intervals = np.floor(t)
    return intervals, (t - intervals).astype(np.float32)


def last_pulses(shape: tuple[int, ...], pulse_s: float | FloatArray | None) -> FloatArray:
    """Last pulses [s], flat: of every device of `shape`, or of length one where all share it."""
    since_s = np.asarray(-np.inf if pulse_s is None else pulse_s, dtype=np.float64)
    if since_s.shape not in ((), shape):
        raise UsageError(f"pulse_s must be one time or of shape {shape}; got {since_s.shape}")
    return np.ascontiguousarray(since_s).reshape(-1)
