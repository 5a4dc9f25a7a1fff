"""Offset of each output of the network, so that its mean prediction is what it was.

A factor for each matrix beneath (`levels`), since no offset brings back a scale; then an offset b
on each column of the readout, such that over unlabelled sequences the mean predicted probability

    mean_n σ((a y_n + b) gain + bias)

is that of the reference time. A leaky readout leaks after the bias, so that an offset reaches its
logits o_t at step t = 1, 2 ... of a sequence in part, with its decay a:

    mean_n σ(o_n + b gain (1 - a^t)).

A spiking readout has no logits to shift: its spikes do not follow an offset of its currents
smoothly, and since each of them resets a potential that keeps it, neither is it a shift of its
threshold. It is refused; `statistics` corrects its columns.

The mean probability and not the mean logit, which outliers that do
not change a prediction would move: on the chorales it is better by up to 0.008 nat/step.
"""

import numpy as np
from scipy.special import expit, logit

from pcmsim.config import Network
from pcmsim.crossbar.mapping import FloatArray
from pcmsim.errors import UsageError
from pcmsim.mitigations.compensation import Known
from pcmsim.mitigations.levels import Levels
from pcmsim.mitigations.site import Correction, IntArray, Site

_LEVEL, _MEAN = "level of ", "mean prediction"
_GLOBAL = Levels(by_column=False)
# The logit of the mean probability is nearly linear in the offset: few steps of Newton solve it.
_STEPS, _LARGEST_STEP = 5, 4.0
# Mean probabilities closer to zero or one than this are taken for it.
_SMALLEST = 1e-9


class Bias:
    """The factor of "global", then an offset of the readout."""

    def prepare(self, site: Site) -> None:
        """Nothing is set apart."""

    def reference(self, site: Site) -> Known:
        """Level of each matrix [µS], and the mean prediction (outputs,), over some repeats.

        Raises `UsageError` for a spiking readout.
        """
        check_readout(site.network.spec)
        known = {_LEVEL + name: level for name, level in _GLOBAL.reference(site).items()}
        repeats = [_mean(site.answers()[0]) for _ in range(site.settings.repeats)]
        return known | {_MEAN: np.mean(repeats, axis=0)}

    def correct(self, site: Site, known: Known) -> Correction:
        """Measure the factors, play the sequences with them, and solve for the offset."""
        levels = {name: known[_LEVEL + name] for name in site.matrices}
        correction = dict(_GLOBAL.correct(site, levels))
        readout = site.matrices[-1]
        logits, steps = site.answers(correction)
        shift = offset(logits, known[_MEAN], _reach(site, steps))
        correction[readout] = (correction[readout][0], shift / site.gains.get(readout, np.ones(1)))
        return correction


def check_readout(spec: Network) -> None:
    """Raise `UsageError` for a network whose outputs have no bias."""
    if spec.readout.name == "spiking":
        raise UsageError(
            "compensation bias shifts logits, which network.readout: spiking has not; statistics "
            "corrects the columns of its units"
        )


def offset(logits: FloatArray, wanted: FloatArray, reach: FloatArray | float = 1.0) -> FloatArray:
    """Offset (outputs,) of `logits` (n, outputs) that gives them the mean probability `wanted`.

    `reach` (n, outputs) is the part of it that arrives at each logit.

    >>> z = np.array([[-2.0], [1.0], [3.0]])
    >>> offset(z - 0.7, expit(z).mean(axis=0)).round(6)
    array([0.7])
    """
    target = logit(np.clip(wanted, _SMALLEST, 1.0 - _SMALLEST))
    shift = np.zeros(logits.shape[1])
    for _ in range(_STEPS):
        p = expit(logits + (reach * shift).astype(logits.dtype))
        mean = np.clip(p.mean(axis=0, dtype=np.float64), _SMALLEST, 1.0 - _SMALLEST)
        slope = (reach * p * (1 - p)).mean(axis=0, dtype=np.float64) / (mean * (1.0 - mean))
        step = (target - logit(mean)) / np.maximum(slope, _SMALLEST)
        shift += np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
    return shift


def _reach(site: Site, steps: IntArray) -> FloatArray | float:
    """Part of an offset that has reached the logits at `steps` (n,), counted from zero."""
    if site.network.spec.readout.name != "leaky":
        return 1.0
    kept = site.network.get_parameter("readout.decay_logit").detach().sigmoid().numpy()
    return np.asarray(1.0 - kept.astype(np.float64) ** (steps[:, None] + 1.0))


def _mean(logits: FloatArray) -> FloatArray:
    return np.asarray(expit(logits).mean(axis=0, dtype=np.float64))
