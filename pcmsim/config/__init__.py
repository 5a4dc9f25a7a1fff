"""Configuration of a run: YAML in, checked and frozen sections out."""

from pcmsim.config.hardware import Hardware, Timing, Verify
from pcmsim.config.loop import (
    Accumulate,
    Aware,
    Digital,
    Loop,
    Phase,
    Refresh,
    Reprogram,
    RoundRobin,
    Rule,
    Stochastic,
)
from pcmsim.config.reading import Config, build, dump, load_config, override
from pcmsim.config.software import Data, Network, Training

__all__ = [
    "Accumulate",
    "Aware",
    "Config",
    "Data",
    "Digital",
    "Hardware",
    "Loop",
    "Network",
    "Phase",
    "Refresh",
    "Reprogram",
    "RoundRobin",
    "Rule",
    "Stochastic",
    "Timing",
    "Training",
    "Verify",
    "build",
    "dump",
    "load_config",
    "override",
]
