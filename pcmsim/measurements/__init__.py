"""Measurement files: the HDF5 layout and the tables of a lab, read into records."""

from pcmsim.measurements.columns import ColumnMap, build_columns, load_columns
from pcmsim.measurements.reading import read_campaign
from pcmsim.measurements.sources import HDF5, Source, campaign_counts, read_measurements
from pcmsim.measurements.tables import read_table
from pcmsim.measurements.writing import write_campaign

__all__ = [
    "HDF5",
    "ColumnMap",
    "Source",
    "build_columns",
    "campaign_counts",
    "load_columns",
    "read_campaign",
    "read_measurements",
    "read_table",
    "write_campaign",
]
