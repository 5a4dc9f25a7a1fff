"""Measurement files: the HDF5 layout and the tables of a lab, read into records."""
