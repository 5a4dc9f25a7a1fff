"""Virtual measurement campaigns: a simulated chip, measured as a lab would measure a real one."""

from pcmsim.calibration.virtual.campaign import campaign_parts, measure_campaign

__all__ = ["campaign_parts", "measure_campaign"]
