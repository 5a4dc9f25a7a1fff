"""From measured conductances to statements about devices, with their uncertainties."""

from pcmsim.calibration.moments import Moments, moments

__all__ = ["Moments", "moments"]
