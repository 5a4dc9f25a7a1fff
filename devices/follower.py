"""The fluctuation of an array looked at often: only what has changed is evaluated again.

Between two looks a millisecond apart most modes of most devices keep their amplitude. A follower
remembers, for every mode of every device, the amplitude, the instant of the event that set it and
the instant up to which it surely stands. That is a cache and not a state: what it returns is, to
the bit, what `fluctuation` returns, whatever was asked before.
"""

import math

import numpy as np

from pcmsim.devices.fluctuation import instant, last_pulses
from pcmsim.devices.follower_kernel import follow, nothing
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.modes import Modes


class Follower:
    """`fluctuation` of one array of devices, at a cost in proportion to what has changed.

    `band`, `shape` and `key` are those of `fluctuation`. The first look, and any that goes back in
    time, costs three calls of `fluctuation`; a look soon after another a small share of one.
    Takes 25 bytes per mode and device. Not to be shared between threads.

    >>> from pcmsim.devices.fluctuation import fluctuation
    >>> from pcmsim.devices.modes import modes
    >>> band = modes(1e-6, 1e2)
    >>> follower = Follower(band, (3,), 7)
    >>> looks = [follower.at(t_s, 0.0) for t_s in (1000.0, 1000.001, 1000.002)]
    >>> bool((looks[2] == fluctuation(band, (3,), 7, 1000.002, 0.0)).all())
    True
    """

    def __init__(self, band: Modes, shape: tuple[int, ...], key: int) -> None:
        self._band = band
        self._shape = shape
        self._standing = nothing(key, band.rates_per_s.size, math.prod(shape))

    def at(self, now_s: float, pulse_s: float | FloatArray | None) -> FloatArray:
        """Relative fluctuation of each device at `now_s` [s], counted from its `pulse_s` [s].

        Arguments, result and errors are those of `fluctuation`.
        """
        intervals, fractions = instant(self._band, now_s)
        since_s = last_pulses(self._shape, pulse_s)
        rates, stds = self._band.rates_per_s, self._band.stds
        out = np.empty(self._shape, dtype=np.float32)
        follow(rates, stds, intervals, fractions, since_s, self._standing, out.reshape(-1))
        return out
