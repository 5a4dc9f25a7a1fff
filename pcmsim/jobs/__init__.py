"""What a user does: train, drift, sample devices, report; the command line calls the same."""

from pcmsim.jobs.curves import CURVE_COLUMNS, curves, sparklines
from pcmsim.jobs.demo import demo, demo_config, free_folder
from pcmsim.jobs.drift import drift, drift_times, hardware_of
from pcmsim.jobs.report import report
from pcmsim.jobs.sampling import Sample, sample
from pcmsim.jobs.train import train

__all__ = [
    "CURVE_COLUMNS",
    "Sample",
    "curves",
    "demo",
    "demo_config",
    "drift",
    "drift_times",
    "free_folder",
    "hardware_of",
    "report",
    "sample",
    "sparklines",
    "train",
]
