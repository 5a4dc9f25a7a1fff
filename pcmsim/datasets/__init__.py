"""Sequences to learn, fetched, built or read on the user's machine, and batches of them.

Nothing is bundled. A data set is three splits: `Split` of piano rolls, `uint8` arrays of shape
(steps, 88) in which column 0 is the lowest key of a piano (MIDI pitch 21), or `Labelled` sequences.
What training and evaluation ask of a split is the Protocol `Sequences`.
"""

from pcmsim.datasets.batch import Batch, Kind, Sequences, batches
from pcmsim.datasets.dataset import METRICS, Dataset, Metric
from pcmsim.datasets.facts import FACTS, Facts, facts_of, widths
from pcmsim.datasets.labelled import Labelled
from pcmsim.datasets.loading import IN_FILES, load
from pcmsim.datasets.roll import Split, pad

__all__ = [
    "FACTS",
    "IN_FILES",
    "METRICS",
    "Batch",
    "Dataset",
    "Facts",
    "Kind",
    "Labelled",
    "Metric",
    "Sequences",
    "Split",
    "batches",
    "facts_of",
    "load",
    "pad",
    "widths",
]
