from importlib.resources import files

import numpy as np
import pytest
import torch

from pcmsim.config import Hardware, Network
from pcmsim.errors import UsageError
from pcmsim.loop import LoopNetwork, MockCrossbar, SimulatedArrays, WeightArray
from pcmsim.loop.recalibration import correction, levels, reference
from pcmsim.loop.weights import pair_mean
from pcmsim.networks import SpikingNetwork

ROWS, COLUMNS = 8, 5
NU = 0.06
DAYS = 4 * 86400.0


class Reader(MockCrossbar):
    """A mock whose outputs pass `gain` y + `offset`, and read noise of `std` [µS]."""

    def __init__(self, std=0.0):
        super().__init__((2, 1, ROWS, COLUMNS))
        self.gain, self.offset = np.ones(COLUMNS), np.zeros(COLUMNS)
        self.std, self.rng = std, np.random.default_rng(4)

    def multiply(self, x):
        y = self.gain * super().multiply(x) + self.offset
        return y + self.std * self.rng.standard_normal(y.shape)


def reader(std=0.0):
    found = Reader(std)
    found.program(np.random.default_rng(1).random(found.shape) * 20.0)
    return found


def inputs(n=40):
    return np.random.default_rng(2).random((n, ROWS)).astype(np.float32)


@pytest.fixture
def alike(tmp_path):
    """Ideal devices that all drift with one exponent."""
    text = files("pcmsim.devices").joinpath("parameter_sets/ideal.yaml").read_text()
    before = "nu_mean:\n    value: {constant: 0.0}"
    assert before in text
    path = tmp_path / "alike.yaml"
    path.write_text(text.replace(before, before.replace("0.0", str(NU))))
    hardware = Hardware(device=str(path), pairs=2)
    arrays = SimulatedArrays({"w": (ROWS, COLUMNS), "v": (3, 4)}, hardware, 1)
    chance = np.random.default_rng(7)
    for array in arrays.values():
        array.program(chance.random(array.shape) * 25.0)
    return arrays


@pytest.mark.parametrize("kind", ["global", "column", "affine"])
def test_devices_with_one_exponent_are_restored_exactly(alike, kind):
    calibration = {"w": inputs(), "v": inputs()[:, :3]}
    x = {"w": inputs(9)[::-1], "v": inputs(9)[::-1, 2:5]}
    known, wanted = reference(alike, calibration), {n: a.multiply(x[n]) for n, a in alike.items()}
    alike["w"].clock.wait(DAYS)
    scales = {"w": np.ones(COLUMNS), "v": np.ones(4)}
    assert np.abs(alike["w"].multiply(x["w"]) / wanted["w"] - 0.56).max() < 0.02
    for name, (factor, offset) in correction(alike, kind, known, scales).items():
        np.testing.assert_allclose(factor, ((DAYS + 20.0) / 20.0) ** NU, rtol=1e-4)
        found = alike[name].multiply(x[name]) * factor + offset
        np.testing.assert_allclose(found, wanted[name], rtol=1e-4, atol=1e-3)


def test_no_compensation_is_no_correction_and_asks_nothing(alike):
    array = reader()
    known = reference({"w": array}, {})
    calls = len(array.calls)
    assert correction({"w": array}, "none", known, {}) == {}
    assert len(array.calls) == calls


def test_levels_are_the_mean_magnitude_of_a_columns_pairs():
    array = reader()
    np.testing.assert_allclose(
        levels({"w": array})["w"], np.abs(pair_mean(array.g)).mean(axis=0), rtol=1e-6
    )


def test_one_factor_per_column_recovers_gains_and_one_factor_their_weighted_mean():
    array = reader()
    known, gains = reference({"w": array}, {}), np.linspace(0.4, 1.3, COLUMNS)
    array.gain = gains
    factor, offset = correction({"w": array}, "column", known, {})["w"]
    np.testing.assert_allclose(factor * gains, 1.0, rtol=1e-6)
    assert not offset.any()
    factor, offset = correction({"w": array}, "global", known, {})["w"]
    assert (factor.shape, offset.shape) == ((1,), (1,))
    level = known.levels["w"]
    assert factor[0] == pytest.approx(level.sum() / (gains * level).sum(), rel=1e-6)


def test_affine_recovers_gain_and_offset_of_each_column_in_units_of_the_output():
    array, scale = reader(), np.linspace(0.01, 0.05, COLUMNS)
    known = reference({"w": array}, {"w": inputs()})
    array.gain, array.offset = np.linspace(0.4, 1.3, COLUMNS), np.linspace(-9.0, 9.0, COLUMNS)
    factor, offset = correction({"w": array}, "affine", known, {"w": scale})["w"]
    np.testing.assert_allclose(factor, 1.0 / array.gain, rtol=1e-6)
    np.testing.assert_allclose(offset, -array.offset / array.gain * scale, rtol=1e-6, atol=1e-9)


def test_affine_with_noise_is_right_within_the_standard_errors_of_least_squares():
    std, found, n = 0.3, [], 60
    for seed in range(40):
        array = reader()
        known = reference({"w": array}, {"w": inputs(n)})
        array.gain, array.offset = np.full(COLUMNS, 0.6), np.full(COLUMNS, 2.0)
        array.std, array.rng = std, np.random.default_rng(seed)
        found.append(correction({"w": array}, "affine", known, {"w": np.ones(COLUMNS)})["w"][0])
    y = 0.6 * inputs(n) @ pair_mean(reader().g)
    spread = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    # Noise in y pulls the slope down by its share of the variance, and nothing else does.
    expected = spread / (spread + (n - 1) * std**2) / 0.6
    error = std / 0.6 / np.sqrt(spread) / np.sqrt(len(found))
    assert np.abs((np.mean(found, axis=0) - expected) / error).max() < 4.0


def test_the_reference_is_the_mean_of_its_repeats():
    array = reader(std=1.0)
    one = reference({"w": array}, {"w": inputs(400)}, repeats=1).outputs["w"]
    many = reference({"w": array}, {"w": inputs(400)}, repeats=16).outputs["w"]
    exact = inputs(400) @ pair_mean(array.g)
    assert (one - exact).std() == pytest.approx(1.0, rel=0.1)
    assert (many - exact).std() == pytest.approx(0.25, rel=0.1)


@pytest.mark.parametrize("kind", ["global", "column", "affine"])
def test_a_column_that_shows_nothing_keeps_its_factor(kind):
    array = reader()
    array.g[..., 2] = 0.0
    known = reference({"w": array}, {"w": inputs()})
    array.gain = np.full(COLUMNS, 0.5)
    factor, offset = correction({"w": array}, kind, known, {"w": np.ones(COLUMNS)})["w"]
    wanted = np.full(COLUMNS, 2.0)
    wanted[2] = wanted[2] if kind == "global" else 1.0
    np.testing.assert_allclose(np.broadcast_to(factor, COLUMNS), wanted, rtol=1e-4)
    np.testing.assert_allclose(offset, 0.0, atol=1e-9)


def test_affine_without_calibration_inputs_is_refused():
    array = reader()
    known = reference({"w": array}, {})
    with pytest.raises(UsageError, match=r"calibration inputs of \['w'\]"):
        correction({"w": array}, "affine", known, {"w": np.ones(COLUMNS)})


def test_a_corrected_network_gives_the_outputs_of_the_reference_time():
    """Scales, gains and offsets meet in the network: factor and offset come after both."""
    network = SpikingNetwork(Network(unit="ssnu", hidden=(6,)), torch.Generator().manual_seed(1))
    arrays = {}
    for name, weight in network.matrices().items():
        crossbar = Reader()
        crossbar.shape = (2, 1, *weight.shape)
        crossbar.gain, crossbar.offset = np.ones(weight.shape[1]), np.zeros(weight.shape[1])
        scale = np.linspace(0.02, 0.06, weight.shape[1])
        arrays[name] = WeightArray(crossbar, 25.0, scale)
        crossbar.g = np.zeros(crossbar.shape)
        arrays[name].write(weight.detach().numpy())
    model = LoopNetwork(network, arrays)
    with torch.no_grad():
        for name in arrays:
            model.gain(name).copy_(torch.linspace(0.5, 1.5, len(model.gain(name))))
    crossbars = {name: array.crossbar for name, array in arrays.items()}
    scales = {n: a.scale * model.gain(n).detach().numpy() for n, a in arrays.items()}
    chance = np.random.default_rng(3)
    rows = {n: chance.random((50, a.crossbar.shape[2])).astype("f4") for n, a in arrays.items()}
    known = reference(crossbars, rows)
    wanted = {n: model.multiply(n, torch.from_numpy(x)).detach() for n, x in rows.items()}
    for crossbar in crossbars.values():
        crossbar.gain, crossbar.offset = 0.7 * crossbar.gain, crossbar.offset + 2.0
    model.correction = correction(crossbars, "affine", known, scales)
    for name, x in rows.items():
        found = model.multiply(name, torch.from_numpy(x)).detach()
        torch.testing.assert_close(found, wanted[name], rtol=1e-4, atol=1e-4)
