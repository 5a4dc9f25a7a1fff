"""Sequences to learn: piano rolls of chorales, fetched or built on the user's machine, and batches.

Nothing is bundled. A data set is three splits of rolls, and a roll is a `uint8` array of shape
(steps, 88) in which column 0 is the lowest key of a piano (MIDI pitch 21).
"""

from pcmsim.datasets.batch import Batch, batches, pad
from pcmsim.datasets.loading import load
from pcmsim.datasets.roll import Dataset, Split

__all__ = ["Batch", "Dataset", "Split", "batches", "load", "pad"]
