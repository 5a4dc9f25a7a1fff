"""From measured conductances to a parameter set, with uncertainties and checks."""

from pcmsim.calibration.calibrate import Calibration, Choices, calibrate, refuse
from pcmsim.calibration.checks import campaign_faults, check_campaign
from pcmsim.calibration.estimate import Estimate, Exclusion, Unidentified
from pcmsim.calibration.moments import Moments, moments

__all__ = [
    "Calibration",
    "Choices",
    "Estimate",
    "Exclusion",
    "Moments",
    "Unidentified",
    "calibrate",
    "campaign_faults",
    "check_campaign",
    "moments",
    "refuse",
]
