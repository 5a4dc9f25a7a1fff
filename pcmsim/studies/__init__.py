"""Drift studies: many cells on many chips, worked out by any number of workers to the same numbers.

A study is a list of cells (`plan`); units of work (`unit`) measure all cells of one chip, on
workers (`pool`); each is on disk as soon as it is there (`store`), and in the end all of them
become one table (`table`).
"""

from pcmsim.studies.intervals import Mean, chips_needed, mean_over_chips, paired
from pcmsim.studies.materials import Materials, Subject
from pcmsim.studies.plan import Cell, Life, Unit, cells_of, study_times, units_of
from pcmsim.studies.pool import HERE, LOCAL, Pool, check_place, open_pool
from pcmsim.studies.progress import Failure, open_units, work_through
from pcmsim.studies.store import sweep
from pcmsim.studies.table import AXES, Table, assemble, frame
from pcmsim.studies.unit import COSTS, Lived, Outcome, run_unit
from pcmsim.studies.writing import write_tables

__all__ = [
    "AXES",
    "COSTS",
    "HERE",
    "LOCAL",
    "Cell",
    "Failure",
    "Life",
    "Lived",
    "Materials",
    "Mean",
    "Outcome",
    "Pool",
    "Subject",
    "Table",
    "Unit",
    "assemble",
    "cells_of",
    "check_place",
    "chips_needed",
    "frame",
    "mean_over_chips",
    "open_pool",
    "open_units",
    "paired",
    "run_unit",
    "study_times",
    "sweep",
    "units_of",
    "work_through",
    "write_tables",
]
