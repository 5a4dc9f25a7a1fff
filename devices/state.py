"""What an array of devices is: everything nature drew, and when each device was last written."""

from dataclasses import dataclass

import numpy as np

from pcmsim.devices.laws import FloatArray

HEALTHY, STUCK_RESET, STUCK_SET, UNTUNABLE = 0, 1, 2, 3


@dataclass(frozen=True)
class ArrayState:
    """State of an array of devices; all arrays have the array's shape unless said otherwise.

    g                 conductance at the reference time t0 after the last programming [µS]
    nu                drift exponent since the last programming [1]
    noise             relative amplitude Q of the read noise since the last programming [1]
    nu_device         share of the exponent that stays with the device, in standard deviations [1]
    fault             0 healthy, 1 stuck RESET, 2 stuck SET, 3 untunable (int8)
    g_fault           conductance a faulty device returns to [µS]
    programmed_at_s   clock time of the last programming [s], scalar
    programmings      how often the array has been programmed
    """

    g: FloatArray
    nu: FloatArray
    noise: FloatArray
    nu_device: FloatArray
    fault: np.ndarray
    g_fault: FloatArray
    programmed_at_s: float
    programmings: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array of devices."""
        return self.g.shape
