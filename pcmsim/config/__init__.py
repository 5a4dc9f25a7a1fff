"""Configuration of a run: YAML in, checked and frozen sections out."""

from pcmsim.config.campaign import CampaignPlan, build_plan, load_plan
from pcmsim.config.formula import evaluated
from pcmsim.config.hardware import Hardware, Timing, Verify
from pcmsim.config.learning import Bptt, Eprop, Learning, Ostl, TruncatedBptt
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
from pcmsim.config.study import (
    Calibration,
    Cells,
    Energy,
    Renewal,
    Sensitivity,
    Study,
    build_study,
    load_study,
)
from pcmsim.config.temperature import Temperature

__all__ = [
    "Accumulate",
    "Aware",
    "Bptt",
    "Calibration",
    "CampaignPlan",
    "Cells",
    "Config",
    "Data",
    "Digital",
    "Energy",
    "Eprop",
    "Hardware",
    "Learning",
    "Loop",
    "Network",
    "Ostl",
    "Phase",
    "Refresh",
    "Renewal",
    "Reprogram",
    "RoundRobin",
    "Rule",
    "Sensitivity",
    "Stochastic",
    "Study",
    "Temperature",
    "Timing",
    "Training",
    "TruncatedBptt",
    "Verify",
    "build",
    "build_plan",
    "build_study",
    "dump",
    "evaluated",
    "load_config",
    "load_plan",
    "load_study",
    "override",
]
