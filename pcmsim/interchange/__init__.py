r"""Networks as graphs of the Neuromorphic Intermediate Representation (NIR), and back.

A NIR file says what a network is in equations of continuous time, not how a program steps through
them (Pedersen et al., doi:10.1038/s41467-024-52259-9, arXiv:2311.14636). A leaky integrate-and-fire
node (LIF) obeys :math:`\tau \dot v = v_{leak} - v + R I`; where v exceeds its threshold it spikes
and v becomes v_reset. Under the forward Euler step `dt_s`, with v_leak = v_reset = 0,

    v_t = (1 - dt/tau) v_{t-1} + (R dt/tau) I_t,   y_t = 1 and v_t = 0 where v_t > threshold.

A spiking neural unit (`snu`) keeps s_t, and drops it a step later through the factor (1 - y_{t-1}):
both send the same spikes if decay = 1 - dt/tau and R dt/tau = 1. What a cycle of the graph brings
back is that of the step before, as in the unit. So `to_nir` writes tau = dt / (1 - decay) and
R = tau / dt, and a program that reads the file must take the same step, which is also kept in the
metadata of the graph. snnTorch reads LIF nodes this way, its own step being 1e-4 s, if all
thresholds of a layer are equal; Norse takes R for one whatever the file says.

`from_nir` takes what a network here can do exactly, and refuses everything else by its name.
"""

from pcmsim.interchange.files import read_nir, write_nir
from pcmsim.interchange.from_nir import from_nir
from pcmsim.interchange.to_nir import DT_S, to_nir

__all__ = ["DT_S", "from_nir", "read_nir", "to_nir", "write_nir"]
