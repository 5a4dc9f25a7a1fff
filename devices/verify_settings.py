"""How closed-loop programming is done, and what it reports."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pcmsim.devices.laws import Law
from pcmsim.errors import UsageError


@dataclass(frozen=True)
class Verify:
    """How a device is written in a closed loop.

    backend         "melt" or "set"
    g_tolerance     largest error of an accepted read [µS]
    max_iterations  pulses and reads after which a device is given up, in the state it has then
    gain            share of the error that a melting pulse corrects ("melt")
    reads           reads averaged in each iteration
    wait_s          from the pulse to the read [s]
    pulse_s, read_s duration of a pulse and of a read in the simulated time [s]
    adc_bits        of the converter of verify reads, whose full scale is the top of the melting
                    curve; None for none
    parallel        devices written at once; a group takes as long as its slowest device
    read_std        standard deviation of one verify read [µS] against g; None for the fast read
                    noise of the set, what is new in every read

    Raises `UsageError` for a value that is not allowed.
    """

    backend: Literal["melt", "set"] = "melt"
    g_tolerance: float = 0.8
    max_iterations: int = 30
    gain: float = 0.35
    reads: int = 1
    wait_s: float = 1e-3
    pulse_s: float = 1e-7
    read_s: float = 1e-6
    adc_bits: int | None = None
    parallel: int = 1
    read_std: Law | None = None

    def __post_init__(self) -> None:
        if self.backend not in ("melt", "set"):
            raise UsageError(f"backend = {self.backend!r}: write melt or set")
        for name in ("max_iterations", "reads", "parallel"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise UsageError(f"{name} = {count!r}: a whole number of at least 1 is needed")
        for name in ("g_tolerance", "gain"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise UsageError(f"{name} = {getattr(self, name):g}: it must be above 0 and finite")
        for name in ("wait_s", "pulse_s", "read_s"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise UsageError(f"{name} = {getattr(self, name):g}: it must be finite and >= 0 s")
        if self.adc_bits is not None and not 1 <= self.adc_bits <= 24:
            raise UsageError(f"adc_bits = {self.adc_bits!r}: 1 to 24, or None for no converter")


@dataclass(frozen=True)
class Outcome:
    """What became of each device; arrays have the array's shape, zero where none was written.

    iterations     pulses with a verify read after them (int32)
    set_pulses     SET pulses (int32)
    reset_pulses   melting and RESET pulses (int32)
    converged      whether the last read was within the tolerance (bool)
    seconds        simulated duration of everything [s]
    """

    iterations: np.ndarray
    set_pulses: np.ndarray
    reset_pulses: np.ndarray
    converged: np.ndarray
    seconds: float
