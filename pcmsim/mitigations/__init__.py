"""What helps against drift: compensation of outputs and refresh of devices, each with its cost."""

from pcmsim.config import Renewal
from pcmsim.mitigations.affine import Affine
from pcmsim.mitigations.bias import Bias, check_readout
from pcmsim.mitigations.compensation import Compensation, Known
from pcmsim.mitigations.cost import Cost
from pcmsim.mitigations.everything import Everything
from pcmsim.mitigations.levels import Levels
from pcmsim.mitigations.nothing import Nothing
from pcmsim.mitigations.reference_devices import ReferenceDevices
from pcmsim.mitigations.refresh import Refresh
from pcmsim.mitigations.retrain import Retrain
from pcmsim.mitigations.site import UNTOUCHED, Correction, Site
from pcmsim.mitigations.statistics import Statistics
from pcmsim.mitigations.worst import Worst

__all__ = [
    "COMPENSATIONS",
    "UNTOUCHED",
    "Compensation",
    "Correction",
    "Cost",
    "Known",
    "Refresh",
    "Site",
    "check_readout",
    "refresh_of",
]

COMPENSATIONS: dict[str, Compensation] = {
    "none": Nothing(),
    "global": Levels(by_column=False),
    "column": Levels(by_column=True),
    "affine": Affine(),
    "bias": Bias(),
    "statistics": Statistics(),
    "reference_devices": ReferenceDevices(),
}


def refresh_of(renewal: Renewal) -> Refresh:
    """The refresh that a section of the study describes."""
    match renewal.what:
        case "all":
            return Everything()
        case "worst":
            return Worst(renewal.share)
        case "retrain":
            return Retrain(renewal)
