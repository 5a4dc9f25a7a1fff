"""What the devices of an array are like, so that their noise is not taken for a mistake."""

from dataclasses import dataclass

from pcmsim.errors import PcmsimError, UsageError


class BrokenPromiseError(PcmsimError):
    """A crossbar that does not do what `Crossbar` promises. Exit code 4, as for hardware."""

    exit_code = 4


@dataclass(frozen=True)
class Terms:
    """What the devices of an array are like, so that their noise is not taken for a mistake.

    g_max       largest target [µS]
    tolerance   how far one read of a device may be from its target [µS]: five standard deviations
                of programming error, drift of a second and read noise together
    faulty      share of devices that may miss it, such as stuck ones
    x_min       smallest input that a row takes; 0 for drivers of one polarity
    wait_s      how long the clock is asked to wait [s]
    settle_s    how long devices are left alone after they were written, before they are read [s]:
                a device whose conductance is defined some time after its last pulse shows more
                before
    seed        of the patterns that are written
    """

    g_max: float
    tolerance: float
    faulty: float = 0.0
    x_min: float = -1.0
    wait_s: float = 0.01
    settle_s: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises `UsageError` for terms that no array could break."""
        if not 0.0 < self.tolerance <= self.g_max / 3 or not 0.0 <= self.faulty <= 0.25:
            raise UsageError(
                f"terms need 0 < tolerance <= g_max / 3 and 0 <= faulty <= 0.25, or they show "
                f"nothing; got tolerance = {self.tolerance:g}, g_max = {self.g_max:g} uS, "
                f"faulty = {self.faulty:g}"
            )
