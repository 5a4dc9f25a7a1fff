"""Small chips with a small network, and a count of what is done to them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pcmsim.config import Calibration, Data, Hardware, Network
from pcmsim.crossbar import Chip
from pcmsim.datasets import load
from pcmsim.devices import load_parameter_set
from pcmsim.loop import program_network
from pcmsim.mitigations import Cost, Site
from pcmsim.networks import SpikingNetwork

NU = 0.06


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def dataset():
    return load(Data(name="synthetic"), seed=1)


@pytest.fixture
def make_site(dataset):
    """Make a site: devices "alike" (one exponent, no chance), "still" (no drift), or real ones."""
    sets = {
        "alike": load_parameter_set("ideal").with_values(nu_mean={"constant": NU}),
        "still": load_parameter_set("ideal"),
        "real": load_parameter_set("pcm-gst-90nm"),
    }

    def make(devices="real", seed=5, network=None, data=None, pairs=1, **spec):
        if network is None:
            values = {"unit": "ssnu", "hidden": (12,), **spec}
            chance = torch.Generator().manual_seed(3)
            network = SpikingNetwork(Network.model_validate(values), chance)
        hardware = Hardware(scale="column", pairs=pairs)
        chip = Chip(hardware, seed, parameter_set=sets[devices])
        program_network(chip, network)
        settings = Calibration(sequences=3, repeats=2, cells=8)
        return Site(chip, network, data or dataset, settings)

    return make


@pytest.fixture
def logits(dataset):
    """What the network of a site answers to a test sequence, through the chip."""

    def answer(site, correction=None):
        x = torch.from_numpy(dataset.test.rolls[0][:, None].astype(np.float32))
        with torch.no_grad():
            return site.network(x, site.multiplier(correction or {})).numpy()

    return answer


@pytest.fixture
def spied(monkeypatch):
    """Count what a chip is asked, in the units of a cost."""

    def spy(chip):
        done = SimpleNamespace(cost=Cost())
        real = {verb: getattr(chip, verb) for verb in ("multiply", "weights", "read", "write")}

        def multiply(name, x):
            rows, columns = chip.matrices[name].shape
            done.cost += Cost(products=len(x), macs=len(x) * rows * columns)
            return real["multiply"](name, x)

        def weights(name):
            rows, columns = chip.matrices[name].shape
            done.cost += Cost(products=rows, macs=rows * columns)
            return real["weights"](name)

        def read(name, where=None):
            all_of_it = np.ones(chip.matrices[name].device_shape, dtype=bool)
            chosen = all_of_it if where is None else where
            rows = int(chosen.any(axis=-1).sum())
            done.cost += Cost(products=rows, macs=int(chosen.sum()))
            return real["read"](name, where)

        def write(name, g_target, where=None, method=None):
            devices = g_target.size if where is None else int(where.sum())
            done.cost += Cost(programmed=devices)
            return real["write"](name, g_target, where, method)

        for verb, stand_in in zip(real, (multiply, weights, read, write), strict=True):
            monkeypatch.setattr(chip, verb, stand_in)
        return done

    return spy


@pytest.fixture
def devices_of():
    """Everything that is programmed on a chip, by matrix."""

    def devices(chip, names=None):
        return {
            name: [
                np.stack([s.g, s.nu, np.broadcast_to(s.programmed_at_s, s.g.shape)])
                for s in matrix.states
            ]
            for name, matrix in chip.matrices.items()
            if names is None or name in names
        }

    return devices
