"""What a lab measures, one frozen record for each kind of measurement.

Conductances are in microsiemens, NaN where a sample is missing; times are in seconds and count
from the device's last programming pulse. Records hold arrays and no files; nothing in them has
been left out or corrected. `pcmsim.calibration.checks` says what is wrong with one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from pcmsim.devices.laws import FloatArray

IntArray = np.ndarray
# Answers of a yield map; what the tester did not decide is unknown.
UNKNOWN, WORKING, STUCK_AT_RESET, STUCK_AT_SET, NOT_TUNABLE = -1, 0, 1, 2, 3


@dataclass(frozen=True)
class Instrument:
    """How every read of a campaign was taken.

    t_read_s        integration time of one read [s]
    g_step          conductance of one count of the converter, 0 for none [µS]
    g_noise_std     standard deviation of the instrument's own noise in one read [µS]
    read_voltage_v, temperature_k, chip, name
                    for the record; NaN or empty where unknown
    """

    t_read_s: float
    g_step: float = 0.0
    g_noise_std: float = 0.0
    read_voltage_v: float = float("nan")
    temperature_k: float = float("nan")
    chip: str = ""
    name: str = ""

    @property
    def g_variance(self) -> float:
        """Variance that the instrument adds to one read [µS²]: noise and rounding, Δ²/12."""
        return self.g_noise_std**2 + self.g_step**2 / 12.0


@dataclass(frozen=True)
class DriftTraces:
    """The same devices read again and again as they age; one row for each programming.

    device          number of the device (n,)
    programming     how often the device had been programmed before, from 0 (n,)
    g_target        conductance it was programmed to, 0 for RESET [µS] (n,)
    converged       whether programming ended within its tolerance (n,)
    t_s             time since the last pulse [s], increasing (k,)
    g               conductance read [µS] (n, k)
    """

    device: IntArray
    programming: IntArray
    g_target: FloatArray
    converged: IntArray
    t_s: FloatArray
    g: FloatArray


@dataclass(frozen=True)
class RepeatedReads:
    """Many reads of one device in quick succession; one row for each device.

    device, g_target  as for drift traces (n,)
    t_s               time since the last pulse at the first read [s] (n,)
    interval_s        time from read to read [s]
    g                 conductance read [µS] (n, m)
    """

    device: IntArray
    g_target: FloatArray
    t_s: FloatArray
    interval_s: float
    g: FloatArray


@dataclass(frozen=True)
class SetStaircases:
    """SET pulses from RESET upwards, read after each; one row for each staircase.

    device          number of the device (n,)
    cycle           how often the device had climbed before, from 0 (n,)
    read_after_s    time from a pulse to the reads after it [s], increasing (r,)
    interval_s      time from one pulse, RESET included, to the next [s]
    g               conductance read [µS] (n, p + 1, r); [:, 0] after RESET, before the first pulse
    """

    device: IntArray
    cycle: IntArray
    read_after_s: FloatArray
    interval_s: float
    g: FloatArray


@dataclass(frozen=True)
class ProgrammingCurve:
    """Conductance after one melting pulse against its amplitude; one row for each sweep.

    device          number of the device (n,)
    sweep           how often the device had been swept before, from 0 (n,)
    amplitude       current [µA] or voltage [V] of the pulse, increasing (k,)
    t_s             time from a pulse to its read [s]
    g               conductance read [µS] (n, k)
    unit            unit of the amplitude, "uA" or "V"
    """

    device: IntArray
    sweep: IntArray
    amplitude: FloatArray
    t_s: float
    g: FloatArray
    unit: str = "uA"


@dataclass(frozen=True)
class ProgrammedLevels:
    """What closed-loop programming reached; one row for each device and target.

    device          number of the device (n,)
    g_target        conductance it was programmed to [µS] (n,)
    iterations      pulses it was given, each followed by a verify read (n,)
    converged       whether the last verify read was accepted (n,)
    tolerance       largest error of an accepted verify read [µS]
    verify_after_s  time from a pulse to its verify read [s]
    g_verify        last verify read, the accepted one if the device converged [µS] (n,)
    read_after_s    time from the last pulse to later reads [s], increasing (r,)
    g               those reads [µS] (n, r)
    """

    device: IntArray
    g_target: FloatArray
    iterations: IntArray
    converged: IntArray
    tolerance: float
    verify_after_s: float
    g_verify: FloatArray
    read_after_s: FloatArray
    g: FloatArray


@dataclass(frozen=True)
class YieldMap:
    """The lowest and highest conductance each device of an array could be brought to.

    device, row, column          number and place of the device (n,)
    g_min, g_max                 after RESET, and after the strongest SET [µS] (n,)
    state                        verdict of the tester, UNKNOWN where there is none (n,)
    """

    device: IntArray
    row: IntArray
    column: IntArray
    g_min: FloatArray
    g_max: FloatArray
    state: IntArray


@dataclass(frozen=True)
class Campaign:
    """All that was measured on one chip; kinds that were not measured are absent.

    `drift` is a collection of parts, each with the same times, so that a file larger than memory
    can be read in pieces, more than once; a campaign in memory has one part. `set_drift` holds
    devices that were last written by SET pulses from RESET, whose targets mean nothing. `law` says
    what the traces follow: "drift", a power of time, or "relaxation", none.
    """

    instrument: Instrument
    drift: Iterable[DriftTraces] = field(default_factory=tuple)
    set_drift: DriftTraces | None = None
    reads: tuple[RepeatedReads, ...] = ()
    staircases: SetStaircases | None = None
    curve: ProgrammingCurve | None = None
    yields: YieldMap | None = None
    law: Literal["drift", "relaxation"] = "drift"
    levels: ProgrammedLevels | None = None
