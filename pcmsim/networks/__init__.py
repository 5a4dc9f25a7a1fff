"""Spiking networks: units, layers with a fused scan over time, likelihood and files.

Sequences are (time, batch, features), padded at the end, with a mask (time, batch). The scan is
compiled for the CPU and has a plain twin, `pcmsim.networks.reference.scan`, which defines it.
"""

from pcmsim.networks.checkpoint import load_network, save_network
from pcmsim.networks.fluctuation import fluctuate
from pcmsim.networks.layers import Multiply
from pcmsim.networks.likelihood import nll
from pcmsim.networks.network import SpikingNetwork, States
from pcmsim.networks.objective import Objective, objective
from pcmsim.networks.streamer import Streamer
from pcmsim.networks.stretch import stretch
from pcmsim.networks.window import Window, real_rows, shape_text

__all__ = [
    "Multiply",
    "Objective",
    "SpikingNetwork",
    "States",
    "Streamer",
    "Window",
    "fluctuate",
    "load_network",
    "nll",
    "objective",
    "real_rows",
    "save_network",
    "shape_text",
    "stretch",
]
