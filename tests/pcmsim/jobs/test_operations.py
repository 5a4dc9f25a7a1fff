import h5py
import numpy as np
import pytest
import torch

from pcmsim.config import Hardware, Network
from pcmsim.datasets import Split
from pcmsim.devices import load_parameter_set
from pcmsim.energy import hidden_outputs, measure, operations
from pcmsim.jobs.operations import described, save_raster
from pcmsim.networks import SpikingNetwork


@pytest.fixture
def split():
    rng = np.random.default_rng(3)
    return Split("test", tuple((rng.random((n, 88)) < 0.1).astype("u1") for n in (9, 300)))


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
def test_what_is_kept_is_what_was_counted(split, unit):
    network = SpikingNetwork(Network(unit=unit, hidden=(12, 7), recurrent=True, threshold=0.1))
    found = described(network, split, Hardware())
    activity = measure(network, split)
    for kept, layer in zip(found["layers"], operations(network, activity), strict=True):
        assert (kept["name"], kept["macs"], kept["acs"]) == (layer.layer, layer.macs, layer.acs)
    assert found["layers"][1]["rate"] == pytest.approx(activity.hidden[1].share.mean())
    assert found["layers"][0]["mean_output"] == pytest.approx(activity.hidden[0].size.mean())
    assert found["layers"][0]["binary"] is (unit == "snu")
    assert found["layers"][2]["rate"] is None
    assert found["inputs_rate"] == pytest.approx(activity.inputs.share.mean())
    # 48.8 pJ for each column of the two matrices of a recurrent layer, of one of the readout.
    products = [layer["arrays"]["product_pj"] for layer in found["layers"]]
    assert products == pytest.approx([2 * 12 * 48.8, 2 * 7 * 48.8, 88 * 48.8])


def test_a_recurrent_matrix_takes_energy_for_what_is_returned_to_it():
    # One roll of three steps: two are run, and the second finds what the first has sent.
    rolls = (np.ones((3, 88), "u1"),)
    network = SpikingNetwork(Network(unit="snu", hidden=(1,), recurrent=True, decay=0.0))
    with torch.no_grad():
        network.get_parameter("hidden0.threshold").fill_(-1e6)  # spikes at every step
        network.get_parameter("hidden0.weight").fill_(1.0)
        network.get_parameter("hidden0.recurrent").fill_(1.0)
    found = described(network, Split("test", rolls), Hardware(device="ideal"))["layers"][0]
    pair = (25.0 + g_reset()) * 0.2**2 * 0.13
    assert found["arrays"]["device_pj"] == pytest.approx((88 + 0.5) * pair)


def g_reset():
    """Mean conductance in RESET of the ideal set [µS]."""
    values = load_parameter_set("ideal").values
    return values.reset_median * np.exp(0.5 * values.reset_log_std**2)


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
def test_the_raster_is_of_the_first_sequence_and_small(tmp_path, split, unit):
    network = SpikingNetwork(Network(unit=unit, hidden=(12, 300), threshold=0.1))
    long = Split("test", split.rolls[::-1])
    save_raster(tmp_path / "raster.h5", network, long)
    x = torch.from_numpy(long.rolls[0][:-1])[:, None].float()
    with h5py.File(tmp_path / "raster.h5") as file:
        assert list(file) == ["hidden0", "hidden1"]
        for name, outputs in zip(file, hidden_outputs(network, x), strict=True):
            kept = file[name][:] / 255.0
            np.testing.assert_allclose(kept, outputs[:256, 0, :256], atol=0.5 / 255.0)
            assert (file[name].attrs["steps"], file[name].attrs["units"]) == outputs[:, 0].shape
    assert (tmp_path / "raster.h5").stat().st_size < 100_000


def test_devices_of_a_convolution_take_energy_for_each_patch():
    network = SpikingNetwork(
        Network(unit="snu", image=(1, 8, 11), hidden=(),
                convolutions=[{"channels": 1, "kernel": 2, "stride": 2}])
    )  # fmt: skip
    with torch.no_grad():
        network.get_parameter("conv0.weight").fill_(1.0)
    rolls = (np.ones((2, 88), "u1"),)
    found = described(network, Split("test", rolls), Hardware(device="ideal"))["layers"][0]
    pair = (25.0 + g_reset()) * 0.2**2 * 0.13
    assert found["arrays"]["device_pj"] == pytest.approx(20 * 4 * pair)
    assert found["arrays"]["product_pj"] == pytest.approx(20 * 48.8)


def test_the_raster_of_a_convolution_is_spread_over_the_image(tmp_path, split):
    network = SpikingNetwork(
        Network(unit="ssnu", image=(1, 8, 11), convolutions=[{"channels": 8, "kernel": 3}])
    )
    save_raster(tmp_path / "raster.h5", network, split)
    x = torch.from_numpy(split.rolls[0][:-1])[:, None].float()
    last = hidden_outputs(network, x)[0][:, 0, -1]
    with h5py.File(tmp_path / "raster.h5") as file:
        kept = file["conv0"]
        assert kept.shape == (8, 256)
        assert kept.attrs["units"] == 6 * 9 * 8
        np.testing.assert_allclose(kept[:, -1] / 255.0, last, atol=0.5 / 255.0)
