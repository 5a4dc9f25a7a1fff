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
metadata of the graph. Decays that are trained become a tau for each unit, and a unit without leak
(decay 1) an IF node, which obeys dv/dt = R I, with R = 1 / dt.

A unit of the kind `lif` does not fall back to v_reset: a spike takes its threshold from the
potential a step later, which no LIF node says. It is written as what it is, a leaky integrator (LI)
with R = 1, a Threshold node, and a Scale node that leads a spike back as the current
-threshold tau / dt:

    u_t = (1 - dt/tau) u_{t-1} + (dt/tau) I_t - threshold y_{t-1},   y_t = 1 where u_t > threshold.

A leaky readout is an Affine node and a LI node, a spiking one a matrix and units. What resets the
units of a whole layer (`li_snu`), raises its threshold with its spikes (`asnu`, `alif`), bends its
potential or sends no spikes (`ssnu`) has no nodes, and is refused.

`from_nir` takes what a network here can do exactly, and refuses everything else by its name: a LIF
or IF node whose v_reset or v_leak is not zero, a bias of hidden units, synaptic currents that decay
(CubaLIF). A LIF node is read by its equations, as reset to v_reset, also where the program that
wrote it trains with the threshold taken away (the default of snnTorch's Leaky). Graphs within the
graph are laid open, and a parameter that is one number holds for all units of its layer.

snnTorch reads LIF nodes this way, its own step being 1e-4 s, if all thresholds of a layer are
equal; it knows no LI, Threshold or Scale nodes. Norse takes R for one whatever the file says.
"""

from pcmsim.interchange.files import read_nir, write_nir
from pcmsim.interchange.from_nir import from_nir
from pcmsim.interchange.to_nir import DT_S, to_nir

__all__ = ["DT_S", "from_nir", "read_nir", "to_nir", "write_nir"]
