import numpy as np
import pytest
import torch

from pcmsim.config import Hardware, Network
from pcmsim.crossbar import Chip
from pcmsim.errors import UsageError
from pcmsim.loop import measured, program_network
from pcmsim.networks import SpikingNetwork

SPEC = Network(unit="ssnu", hidden=(12,), recurrent=True)


def on_ideal_chip(network):
    chip = Chip(Hardware(device="ideal"), 1)
    program_network(chip, network)
    return chip


def test_a_network_measured_on_ideal_devices_is_the_software_network():
    network = SpikingNetwork(SPEC)
    x = (torch.rand(9, 3, 88, generator=torch.Generator().manual_seed(1)) < 0.1).float()
    with torch.no_grad():
        found = network(x, measured(on_ideal_chip(network)))
        np.testing.assert_allclose(found, network(x), atol=1e-5)


def test_every_matrix_is_written_and_nothing_else():
    chip = on_ideal_chip(SpikingNetwork(SPEC))
    assert set(chip.matrices) == {"hidden0.weight", "hidden0.recurrent", "readout.weight"}
    assert chip.n_devices == 2 * (88 * 12 + 12 * 12 + 12 * 88)


def test_a_factor_multiplies_its_own_matrix_only():
    network = SpikingNetwork(SPEC)
    chip = on_ideal_chip(network)
    rows = torch.linspace(0.0, 1.0, 4 * 88).reshape(4, 88)
    plain = measured(chip)("hidden0.weight", rows)
    factor = {"hidden0.weight": np.array([2.0])}
    np.testing.assert_allclose(measured(chip, factor)("hidden0.weight", rows), 2 * plain)
    y = torch.linspace(0.0, 1.0, 4 * 12).reshape(4, 12)
    same = measured(chip, factor)("readout.weight", y)
    np.testing.assert_array_equal(same, measured(chip)("readout.weight", y))


def test_one_bad_weight_stops_everything_before_the_first_device():
    network, chip = SpikingNetwork(SPEC), Chip(seed=1)
    with torch.no_grad():
        network.readout.weight[3, 4] = torch.inf
    with pytest.raises(UsageError, match=r"readout\.weight\[3, 4\] = inf"):
        program_network(chip, network)
    assert chip.n_devices == 0
