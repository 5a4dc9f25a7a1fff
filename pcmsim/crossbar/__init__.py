"""Weights on arrays of devices: pairs, tiles, products, compensation, and the chip itself."""

from pcmsim.crossbar.chip import Chip
from pcmsim.crossbar.compensation import KINDS, Kind, Readout, compensated, factors, readout
from pcmsim.crossbar.mapping import check_weight
from pcmsim.crossbar.storage import load_chip, save_chip

__all__ = [
    "KINDS",
    "Chip",
    "Kind",
    "Readout",
    "check_weight",
    "compensated",
    "factors",
    "load_chip",
    "readout",
    "save_chip",
]
