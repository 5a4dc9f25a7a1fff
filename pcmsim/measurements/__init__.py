"""Measurement files: the HDF5 layout and the tables of a lab, read into records."""

from pcmsim.measurements.reading import read_campaign
from pcmsim.measurements.sources import Source, campaign_counts, read_measurements
from pcmsim.measurements.writing import write_campaign

__all__ = ["Source", "campaign_counts", "read_campaign", "read_measurements", "write_campaign"]
