"""What a user does, from training to calibration; the command line calls the same."""

from pcmsim.jobs.bases import base_of
from pcmsim.jobs.calibrate import Order, base_name, calibrate_files, fit_files
from pcmsim.jobs.check import FileCheck, check_files
from pcmsim.jobs.convert import Conversion, convert
from pcmsim.jobs.curves import CURVE_COLUMNS, curves, sparklines
from pcmsim.jobs.demo import demo, demo_config, free_folder
from pcmsim.jobs.drift import drift, drift_times, hardware_of, temperature_of
from pcmsim.jobs.live import End, live
from pcmsim.jobs.measure import measure
from pcmsim.jobs.report import report
from pcmsim.jobs.sampling import Sample, sample
from pcmsim.jobs.study import Where, study
from pcmsim.jobs.train import train

__all__ = [
    "CURVE_COLUMNS",
    "Conversion",
    "End",
    "FileCheck",
    "Order",
    "Sample",
    "Where",
    "base_name",
    "base_of",
    "calibrate_files",
    "check_files",
    "convert",
    "curves",
    "demo",
    "demo_config",
    "drift",
    "drift_times",
    "fit_files",
    "free_folder",
    "hardware_of",
    "live",
    "measure",
    "report",
    "sample",
    "sparklines",
    "study",
    "temperature_of",
    "train",
]
