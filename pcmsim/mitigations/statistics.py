"""Statistics of every column brought back: the adaptation of batch normalisation without any.

a = σ_ref / σ(t) and b = μ_ref - a μ(t), with μ and σ the mean and the standard deviation of the
outputs of a column over unlabelled sequences. Joshi et al., doi:10.1038/s41467-020-16108-9,
estimate the statistics of batch normalisation anew (AdaBS), which corrects these two moments of a
column. There is no batch normalisation here; the offset of a hidden column is a shift of its unit's
threshold, that of a readout column one of its bias.
"""

import numpy as np

from pcmsim.crossbar.mapping import FloatArray
from pcmsim.mitigations.compensation import Known
from pcmsim.mitigations.site import Correction, Site

_MEAN, _STD = "mean of ", "std of "
# The outputs of a recurrent matrix become its inputs: its statistics settle while it is corrected,
# slowly from no correction, in few rounds from that of the matrix which feeds the same units.
_RECURRENT, _ROUNDS = "recurrent", 4
# A column that shows nothing keeps its factor; outputs of others are of the order of one.
_SMALLEST = 1e-6


class Statistics:
    """Plays the calibration sequences and compares the moments of each column."""

    def prepare(self, site: Site) -> None:
        """Nothing is set apart."""

    def reference(self, site: Site) -> Known:
        """Mean and standard deviation (columns,) of the outputs of each matrix."""
        repeats = [_moments(site.play()[1]) for _ in range(site.settings.repeats)]
        return {key: np.mean([known[key] for known in repeats], axis=0) for key in repeats[0]}

    def correct(self, site: Site, known: Known) -> Correction:
        """Correct matrix by matrix, each with what it shows once those before it are corrected."""
        correction: dict[str, tuple[FloatArray, FloatArray]] = {}
        before = np.ones(1)
        for name in site.matrices:
            rounds = 1
            if name.endswith(_RECURRENT):
                rounds, correction[name] = _ROUNDS, (before.mean(keepdims=True), np.zeros(1))
            for _ in range(rounds):
                now = _moments({name: site.play(correction, name)[1][name]})
                correction[name] = _matched(known, now, name)
            before = correction[name][0]
        return correction


def _moments(outputs: Known) -> dict[str, FloatArray]:
    found = {}
    for name, y in outputs.items():
        found[_MEAN + name] = y.mean(axis=0, dtype=np.float64)
        found[_STD + name] = y.std(axis=0, dtype=np.float64)
    return found


def _matched(known: Known, now: Known, name: str) -> tuple[FloatArray, FloatArray]:
    mean, std = now[_MEAN + name], now[_STD + name]
    shown = np.maximum(std, _SMALLEST)
    a = np.where(std > _SMALLEST, known[_STD + name] / shown, 1.0)
    return a, known[_MEAN + name] - a * mean
