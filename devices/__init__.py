"""What one phase-change device does, as functions of arrays.

Parameter sets hold every number; what nature draws once is drawn once and kept in a frozen
`ArrayState`; chance and time are arguments.
"""

from pcmsim.devices.ambient import Ambient
from pcmsim.devices.array import conductance, manufacture, program
from pcmsim.devices.composition import composed
from pcmsim.devices.drift import age_s, drifted, pulse_s
from pcmsim.devices.faults import stuck_set_conductance
from pcmsim.devices.fluctuation import fluctuation
from pcmsim.devices.follower import Follower
from pcmsim.devices.laws import Law, scaled
from pcmsim.devices.melting import apply_melt, melt_conductance, melt_current
from pcmsim.devices.modes import Modes, fast_std, modes, slow_modes
from pcmsim.devices.noise import marginal_read, noise_amplitude, relative_std
from pcmsim.devices.normals import standard_normal
from pcmsim.devices.params import (
    Entry,
    ParameterSet,
    Values,
    load_parameter_set,
    parameter_set_names,
)
from pcmsim.devices.programming import check_target, placement_std, reset_conductance
from pcmsim.devices.pulse_model import PulseModel, pulse_model
from pcmsim.devices.pulses import apply_reset, apply_set, set_moments
from pcmsim.devices.recent import Recent
from pcmsim.devices.set_text import parameter_set_text
from pcmsim.devices.state import ArrayState, Kept
from pcmsim.devices.temperature import (
    check_at_reference,
    effective_age_s,
    readout_factor,
    reference_c,
    temperature_law,
)
from pcmsim.devices.temperature_law import TemperatureLaw
from pcmsim.devices.verify import write_verify
from pcmsim.devices.verify_settings import Outcome, Verify
from pcmsim.devices.writing import some

__all__ = [
    "Ambient",
    "ArrayState",
    "Entry",
    "Follower",
    "Kept",
    "Law",
    "Modes",
    "Outcome",
    "ParameterSet",
    "PulseModel",
    "Recent",
    "TemperatureLaw",
    "Values",
    "Verify",
    "age_s",
    "apply_melt",
    "apply_reset",
    "apply_set",
    "check_at_reference",
    "check_target",
    "composed",
    "conductance",
    "drifted",
    "effective_age_s",
    "fast_std",
    "fluctuation",
    "load_parameter_set",
    "manufacture",
    "marginal_read",
    "melt_conductance",
    "melt_current",
    "modes",
    "noise_amplitude",
    "parameter_set_names",
    "parameter_set_text",
    "placement_std",
    "program",
    "pulse_model",
    "pulse_s",
    "readout_factor",
    "reference_c",
    "relative_std",
    "reset_conductance",
    "scaled",
    "set_moments",
    "slow_modes",
    "some",
    "standard_normal",
    "stuck_set_conductance",
    "temperature_law",
    "write_verify",
]
