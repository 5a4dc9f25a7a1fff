"""What an array of devices is: everything nature drew, and when each device was last written."""

from dataclasses import dataclass

import numpy as np

from pcmsim.devices.laws import FloatArray

HEALTHY, STUCK_RESET, STUCK_SET, UNTUNABLE = 0, 1, 2, 3
MELTED_TO_TARGET, MELTED_IN_FULL = 0, 1


@dataclass(frozen=True)
class Kept:
    """The part of a conductance whose drift a SET pulse did not start again.

    share    part of the conductance right after the last SET pulse that keeps its clock [1]
    age_s    age in the drift law that this part had at that pulse (float64) [s]
    """

    share: FloatArray
    age_s: FloatArray


@dataclass(frozen=True)
class ArrayState:
    """State of an array of devices; all arrays have the array's shape unless said otherwise.

    g                 conductance at the reference time t0 after the last programming or pulse [µS]
    nu                drift exponent since the last programming or pulse [1]
    noise             relative amplitude Q of the read noise since then [1]
    nu_device         share of the exponent that stays with the device, in standard deviations [1]
    nu_event          share of the exponent drawn at the last melt, in standard deviations [1]
    fault             0 healthy, 1 stuck RESET, 2 stuck SET, 3 untunable (int8)
    g_fault           conductance a faulty device returns to [µS]
    programmed_at_s   clock time of the last programming or pulse [s]: one number for all devices,
                      or a float64 array
    programmings      how often the array has been programmed
    set_factor        the device's own factor on the mean of SET increments [1]
    melt_shift        the device's shift of the melting curve, in standard deviations [1]
    lifetime          number of RESETs the device survives (float32) [1]
    origin            how the device was last melted: 0 to a target, whose exponent it keeps when
                      SET pulses follow, 1 in full (RESET), so that they rule its exponent (int8)
    sets              SET pulses since the device was last melted (int32)
    set_pulses        SET pulses ever (int32)
    resets            melting pulses ever, a programming counted as one (int32)
    kept              what SET pulses left of the older clock; None if they start it in full
    """

    g: FloatArray
    nu: FloatArray
    noise: FloatArray
    nu_device: FloatArray
    nu_event: FloatArray
    fault: np.ndarray
    g_fault: FloatArray
    programmed_at_s: float | FloatArray
    programmings: int
    set_factor: FloatArray
    melt_shift: FloatArray
    lifetime: FloatArray
    origin: np.ndarray
    sets: np.ndarray
    set_pulses: np.ndarray
    resets: np.ndarray
    kept: Kept | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array of devices."""
        return self.g.shape
