"""Retraining on the chip: a few epochs in the loop, as `pcmsim.loop` trains.

What drift has taken from all devices alike is restored first, by one factor per matrix: the least
squares Σ W W_read / Σ W_read W of what is believed to be there on what one read of every device
shows, which the noise of small weights does not move as it moves a ratio of levels. Then
thresholds, biases and gains learn what the devices have become, and weights whose accumulated
change has reached the threshold are programmed again. Few should be: a device that is written now
is young among old ones, and shows more than they do by as much as drift has taken from them.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from pcmsim.config import Loop, Renewal
from pcmsim.datasets import Dataset
from pcmsim.loop import LoopNetwork, LoopRun, SimulatedArrays, WeightArray, begin, train_in_loop
from pcmsim.loop.loop_run import Position, clamp
from pcmsim.loop.rules import make_rule
from pcmsim.loop.weights import pair_mean
from pcmsim.mitigations.cost import Cost
from pcmsim.mitigations.counted import Counted
from pcmsim.mitigations.site import Site
from pcmsim.rng import key

# Less than this of a matrix is no matrix: its factor stays finite.
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Retrain:
    """Trains `renewal.epochs` epochs with the targets of the training split.

    The outputs are others from then on, so what compensations remember must be measured again.
    """

    renewal: Renewal
    renews_devices, renews_reference = False, True

    def act(self, site: Site) -> None:
        """Train from what the devices are now; simulated time passes as it does in the loop."""
        now = site.chip.clock.now_s.hex()
        site.chip.address_reads("retrain", now)
        loop = self._loop()
        run, before = started(site, loop), site.cost
        with site.chip.reading.hurried():
            train_in_loop(run, _trained_on(site.dataset), loop, key(site.chip.seed, "retrain", now))
        # Backward, each weight takes part in the gradient of the inputs and in its own.
        site.cost += Cost(digital_macs=2 * (site.cost - before).macs)
        _keep(site, run)

    def _loop(self) -> Loop:
        renewal = self.renewal
        phase = {
            "rule": {"name": "reprogram", "g_threshold": renewal.g_threshold},
            "epochs": renewal.epochs,
            "learning_rate": renewal.learning_rate,
            "digital_learning_rate": renewal.digital_learning_rate,
            "gain_learning_rate": renewal.digital_learning_rate,
        }
        return Loop.model_validate({"phases": (phase,), "batch_size": renewal.batch_size})


def started(site: Site, loop: Loop) -> LoopRun:
    """A run that has been programmed: with the network, the gains and the devices of `site`."""
    arrays = SimulatedArrays.around(site.chip, site.matrices)
    mapped = {
        name: WeightArray(
            Counted(arrays[name], site), site.chip.values.g_max, site.chip.matrices[name].scale
        )
        for name in site.matrices
    }
    model = LoopNetwork(site.network, mapped)
    run = begin(model, loop)
    for name, array in mapped.items():
        clamp(model, name)
        weight = model.weights[name].detach().numpy()
        memory = make_rule(loop.phases[0].rule, array.g_max).start(array.crossbar.shape)
        memory["target"][:] = array.targets(weight)
        memory["wanted"][:] = memory["written"][:] = pair_mean(memory["target"])
        run.memories[name] = memory
        _take_up_gain(site, model, name)
    run.position = Position(phase=0)
    return run


def _take_up_gain(site: Site, model: LoopNetwork, name: str) -> None:
    """Begin with the gain that was learnt before, and the factor that restores drift now."""
    weight, read = model.weights[name].detach().numpy(), site.weights(name)
    power, common = np.vdot(weight, weight), np.vdot(weight, read)
    model.restore_by(name, float(power / common) if common > _SMALLEST else 1.0)
    if name in site.gains:
        learnt = torch.from_numpy(site.gains[name] / site.restored[name])
        with torch.no_grad():
            model.gain(name).copy_(learnt)


def _keep(site: Site, run: LoopRun) -> None:
    """Gains, with what restores drift in them, and the weights that devices were last told.

    Changes that were too small to be written are forgotten, for no device knows of them.
    """
    model = run.model
    for name, array in model.arrays.items():
        restored = model.restored(name)
        site.restored[name] = restored
        site.gains[name] = model.gain(name).detach().numpy().astype(np.float64) * restored
        written = run.memories[name]["written"] * array.scale
        with torch.no_grad():
            model.weights[name].copy_(torch.from_numpy(written))
    for parameter in site.network.parameters():
        parameter.grad = None


def _trained_on(dataset: Dataset) -> Dataset:
    """The data set with one training sequence to validate on.

    Nothing is chosen by validation here; more of it would only cost products.
    """
    return replace(dataset, valid=dataset.train.first(1))
