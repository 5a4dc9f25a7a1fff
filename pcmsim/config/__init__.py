"""Configuration of a run: YAML in, checked and frozen sections out."""

from pcmsim.config.campaign import CampaignPlan, build_plan, load_plan
from pcmsim.config.formula import evaluated
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
from pcmsim.config.temperature import Temperature

__all__ = [
    "Accumulate",
    "Aware",
    "CampaignPlan",
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
    "Temperature",
    "Timing",
    "Training",
    "Verify",
    "build",
    "build_plan",
    "dump",
    "evaluated",
    "load_config",
    "load_plan",
    "override",
]
