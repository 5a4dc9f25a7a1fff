"""Whether closed-loop programming agrees with the parameter set that drift traces gave.

Drift and read noise belong to the device and must agree, whoever programmed it. The placement need
not: the drift traces of a campaign were programmed in their own way, and a loop with the window ±τ,
verified at t_v, leaves at t0 what the window, the verify read and the drift since then leave.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pcmsim.calibration.programming import ProgrammingFit
from pcmsim.calibration.programming_level import PlacedLevel
from pcmsim.devices.noise import noise_amplitude
from pcmsim.devices.params import Values
from pcmsim.devices.programming import placement_std

# What two measurements may differ by: standard errors, and a share for laws that are not exact.
_SURE, _SHARE = 4.0, 0.1


@dataclass(frozen=True)
class Agreement:
    """One quantity of one target, as the loop found it and as the set has it.

    must            whether the two have to agree
    note            why they need not, or what to look at if they do not
    """

    g_target: float
    quantity: str
    found: float
    stderr: float
    expected: float
    must: bool
    note: str

    @property
    def agrees(self) -> bool:
        """Within four standard errors and a tenth of the value."""
        allowed = _SURE * self.stderr + _SHARE * abs(self.expected)
        return abs(self.found - self.expected) <= allowed


def agreements(fit: ProgrammingFit, values: Values) -> tuple[Agreement, ...]:
    """Read noise, mean exponent and placement of every target against the set `values`."""
    return tuple(found for level in fit.levels for found in _of_level(fit, level, values))


def _of_level(fit: ProgrammingFit, level: PlacedLevel, values: Values) -> Iterator[Agreement]:
    g = np.array(level.reference["g_mean"])
    nu = float(values.nu_mean(g / values.g_max)) * values.projection
    noise = float(noise_amplitude(values, g)) * (level.g_target + level.placement["bias"])
    if "noise_power" in level.estimate:
        power, error = level.estimate["noise_power"], level.estimate.stderr("noise_power")
        std = np.sqrt(max(power, 0.0))
        stderr = error / (2.0 * max(std, np.sqrt(error)))
        yield Agreement(
            level.g_target,
            "noise amplitude Q G [uS]",
            float(std),
            float(stderr),
            noise,
            True,
            "of the device; if not, the integration time or the instrument's noise was another",
        )
        yield Agreement(
            level.g_target,
            "mean drift exponent",
            level.estimate["nu_mean"],
            level.estimate.stderr("nu_mean"),
            nu,
            True,
            "of the device; if not, times do not count from the last pulse, or drift had not begun",
        )
    yield Agreement(
        level.g_target,
        "spread at t0 [uS]",
        level.reference["g_std"],
        level.reference.stderr("g_std"),
        float(placement_std(values, g)),
        False,
        f"of the way of programming: a loop with +-{fit.tolerance:g} uS, verified after "
        f"{fit.verify_after_s:g} s, beside that of the drift traces",
    )
