"""What inference costs: operations counted from measured activity, and estimates of their energy.

`measure` runs a network over a split, `operations` turns what it saw into multiply-accumulates and
accumulates of each layer, and prices of published figures make energies of both. Next to them
stands what the products would take on arrays of devices (`array_energy`).
"""

from pcmsim.energy.activity import Activity, Signal, hidden_outputs, measure, raster, taken
from pcmsim.energy.arrays import ArrayEnergy, array_energy
from pcmsim.energy.operations import UPDATES, Operations, operations
from pcmsim.energy.prices import Figure, Pair, Prices, load_prices

__all__ = [
    "UPDATES",
    "Activity",
    "ArrayEnergy",
    "Figure",
    "Operations",
    "Pair",
    "Prices",
    "Signal",
    "array_energy",
    "hidden_outputs",
    "load_prices",
    "measure",
    "operations",
    "raster",
    "taken",
]
