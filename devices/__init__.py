"""What one phase-change device does, as functions of arrays.

Parameter sets hold every number; what nature draws once is drawn once and kept in a frozen
`ArrayState`; chance and time are arguments.
"""

from pcmsim.devices.array import conductance, manufacture, program
from pcmsim.devices.drift import age_s, drifted, pulse_s
from pcmsim.devices.fluctuation import fluctuation
from pcmsim.devices.modes import Modes, fast_std, modes, slow_modes
from pcmsim.devices.noise import marginal_read, relative_std
from pcmsim.devices.normals import standard_normal
from pcmsim.devices.params import (
    Entry,
    ParameterSet,
    Values,
    load_parameter_set,
    parameter_set_names,
)
from pcmsim.devices.programming import placement_std
from pcmsim.devices.state import ArrayState

__all__ = [
    "ArrayState",
    "Entry",
    "Modes",
    "ParameterSet",
    "Values",
    "age_s",
    "conductance",
    "drifted",
    "fast_std",
    "fluctuation",
    "load_parameter_set",
    "manufacture",
    "marginal_read",
    "modes",
    "parameter_set_names",
    "placement_std",
    "program",
    "pulse_s",
    "relative_std",
    "slow_modes",
    "standard_normal",
]
