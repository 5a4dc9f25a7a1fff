"""Weights on arrays of devices: pairs, tiles, products, compensation, and the chip itself."""

from pcmsim.crossbar.affine import affine_fit
from pcmsim.crossbar.ambient import ambient_of
from pcmsim.crossbar.chip import MOST_PULSES, Chip
from pcmsim.crossbar.compensation import KINDS, Kind, Readout, compensated, factors, readout
from pcmsim.crossbar.mapping import check_weight, pair_targets, weight_scale
from pcmsim.crossbar.storage import chip_bytes, load_chip, restore_chip, save_chip
from pcmsim.crossbar.writing import RESET, Written

__all__ = [
    "KINDS",
    "MOST_PULSES",
    "RESET",
    "Chip",
    "Kind",
    "Readout",
    "Written",
    "affine_fit",
    "ambient_of",
    "check_weight",
    "chip_bytes",
    "compensated",
    "factors",
    "load_chip",
    "pair_targets",
    "readout",
    "restore_chip",
    "save_chip",
    "weight_scale",
]
