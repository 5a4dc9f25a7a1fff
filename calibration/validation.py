"""What a validation says of a calibration; `pcmsim.calibration.validate` makes one."""

from dataclasses import dataclass

from pcmsim.calibration.array_error import ArrayError
from pcmsim.calibration.bootstrap import Bootstrapped
from pcmsim.calibration.distributions import Distribution
from pcmsim.calibration.left_out import LeftOut


@dataclass(frozen=True)
class Validation:
    """How well devices, times and products are predicted that a fit did not see.

    held_out        devices that were kept from the fit
    distributions   their reads, level by level and time by time, beside simulated devices of the
                    set that was fitted to the others
    likelihood, likelihood_stderr
                    Gaussian log pseudo-likelihood of their traces under that set
    left_out        levels of held-out devices at times that were left out of the fit as well
    array           errors of matrix-vector products of held-out devices
    bootstrap       standard errors of the laws by drawing devices again
    skipped         what was not examined, and why
    """

    held_out: int
    distributions: tuple[Distribution, ...]
    likelihood: float
    likelihood_stderr: float
    left_out: tuple[LeftOut, ...]
    array: tuple[ArrayError, ...]
    bootstrap: tuple[Bootstrapped, ...]
    skipped: tuple[str, ...] = ()

    def rejected(self, level: float = 0.01) -> tuple[Distribution, ...]:
        """Distributions that the data reject, worst first.

        Of a true model about a share `level` is rejected, and rather more: the tests take the
        prediction as known, but the set has errors of its own, from four devices for each that is
        tested. For a mean and a spread fitted to 1,600 normal values and 400 tested, 13 % are
        rejected at 10 % and 1.8 % at 1 %. Reads of one level at neighbouring times are nearly the
        same, so rejections come in groups.
        """
        found = [item for item in self.distributions if item.rejected(level)]
        return tuple(sorted(found, key=lambda item: item.p_value))
