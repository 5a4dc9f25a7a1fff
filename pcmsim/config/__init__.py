"""Configuration of a run: YAML in, checked and frozen sections out."""

from pcmsim.config.campaign import CampaignPlan, build_plan, load_plan
from pcmsim.config.convolution import Convolution, Extent, before_pooling, extents
from pcmsim.config.formula import evaluated
from pcmsim.config.hardware import Hardware, Timing, Verify
from pcmsim.config.initial import Fluctuation, Glorot, Initial
from pcmsim.config.learning import Bptt, Eprop, Learning, Ostl, TruncatedBptt
from pcmsim.config.live import Live
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
from pcmsim.config.network import Adaptation, Network
from pcmsim.config.reading import Config, build, dump, load_config, override
from pcmsim.config.readout import DenseReadout, LeakyReadout, ReadoutKind, SpikingReadout
from pcmsim.config.software import ActivityBounds, Data, Training
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
from pcmsim.config.surrogate import Boxcar, FastSigmoid, MultiGaussian, Surrogate, Tanh
from pcmsim.config.temperature import Temperature

__all__ = [
    "Accumulate",
    "ActivityBounds",
    "Adaptation",
    "Aware",
    "Boxcar",
    "Bptt",
    "Calibration",
    "CampaignPlan",
    "Cells",
    "Config",
    "Convolution",
    "Data",
    "DenseReadout",
    "Digital",
    "Energy",
    "Eprop",
    "Extent",
    "FastSigmoid",
    "Fluctuation",
    "Glorot",
    "Hardware",
    "Initial",
    "LeakyReadout",
    "Learning",
    "Live",
    "Loop",
    "MultiGaussian",
    "Network",
    "Ostl",
    "Phase",
    "ReadoutKind",
    "Refresh",
    "Renewal",
    "Reprogram",
    "RoundRobin",
    "Rule",
    "Sensitivity",
    "SpikingReadout",
    "Stochastic",
    "Study",
    "Surrogate",
    "Tanh",
    "Temperature",
    "Timing",
    "Training",
    "TruncatedBptt",
    "Verify",
    "before_pooling",
    "build",
    "build_plan",
    "build_study",
    "dump",
    "evaluated",
    "extents",
    "load_config",
    "load_plan",
    "load_study",
    "override",
]
