import itertools
import typing

import numpy as np
import pytest
import torch

from pcmsim.config import Hardware, Network
from pcmsim.datasets import Split
from pcmsim.devices import load_parameter_set
from pcmsim.energy import (
    UPDATES,
    array_energy,
    hidden_outputs,
    load_prices,
    measure,
    operations,
)
from pcmsim.errors import UsageError
from pcmsim.loop import evaluate
from pcmsim.networks import SpikingNetwork

LENGTHS = (9, 2, 17, 5)
STEPS = sum(LENGTHS) - len(LENGTHS)


@pytest.fixture
def split():
    rng = np.random.default_rng(3)
    rolls = tuple(
        (rng.random((n, 88)) < 0.04 * (i + 1)).astype("u1") for i, n in enumerate(LENGTHS)
    )
    return Split("test", rolls)


def network_of(unit="snu", hidden=(12, 7), recurrent=True):
    spec = Network(unit=unit, hidden=hidden, recurrent=recurrent)
    network = SpikingNetwork(spec, torch.Generator().manual_seed(5))
    with torch.no_grad():
        for name, size in zip(network.hidden, hidden, strict=True):
            network.get_parameter(f"{name}.threshold").copy_(torch.linspace(-0.1, 0.4, size))
            network.get_parameter(f"{name}.weight").mul_(2.0)
    return network


def accumulates_by_hand(network, split):
    """Additions of a machine that adds a row of a matrix for each event, a step at a time."""
    counts = dict.fromkeys([*network.hidden, "readout"], 0)
    for roll in split.rolls:
        states = network.rest()
        for x, _ in itertools.pairwise(torch.from_numpy(roll).float()):
            after, _ = network.step(states, x[None])
            sent = x[None]
            for name, before, now in zip(network.hidden, states, after, strict=True):
                units = now.output.shape[1]
                counts[name] += int(sent.sum()) * units
                if network.spec.recurrent:
                    counts[name] += int(before.output.sum()) * units
                sent = now.output
            counts["readout"] += int(sent.sum()) * 88 + 88
            states = after
    return counts


@pytest.mark.parametrize("recurrent", [False, True])
def test_accumulates_are_those_of_a_machine_that_adds_a_row_for_each_event(split, recurrent):
    network = network_of(recurrent=recurrent)
    wanted = accumulates_by_hand(network, split)
    found = operations(network, measure(network, split))
    assert {layer.layer: layer.acs * STEPS for layer in found} == pytest.approx(wanted)
    assert [layer.macs for layer in found] == [12.0, 7.0, 0.0]


def test_soft_units_multiply_whatever_they_send(split):
    network = network_of("ssnu")
    first, second, readout = operations(network, measure(network, split))
    # Notes are events for the first layer; what it returns to itself is graded.
    rate = np.concatenate([roll[:-1] for roll in split.rolls]).mean()
    assert first.acs == pytest.approx(88 * rate * 12)
    assert first.macs == 12 * 12 + 2 * 12
    assert (second.macs, second.acs) == (12 * 7 + 7 * 7 + 2 * 7, 0.0)
    assert (readout.macs, readout.acs) == (7 * 88, 88.0)


def test_a_dense_layer_takes_a_multiplication_for_each_weight(split):
    found = operations(network_of(), measure(network_of(), split))
    wanted = [88 * 12 + 12 * 12 + 12, 12 * 7 + 7 * 7 + 7, 7 * 88]
    assert [layer.dense_macs for layer in found] == wanted
    assert [(layer.inputs, layer.units) for layer in found] == [(88, 12), (12, 7), (7, 88)]


def test_rates_agree_with_the_activity_that_evaluation_finds(split):
    network = network_of(hidden=(12,))
    found = measure(network, split)
    assert found.hidden[0].share.mean() == pytest.approx(evaluate(network, split).activity)
    assert (found.steps, found.sequences) == (STEPS, len(LENGTHS))
    assert found.inputs.binary
    assert found.hidden[0].binary


def test_the_last_step_of_a_sequence_returns_to_nobody(split):
    network = network_of(hidden=(12,))
    signal = measure(network, split).hidden[0]
    lost = 0.0
    for roll in split.rolls:
        (outputs,) = hidden_outputs(network, torch.from_numpy(roll[:-1])[:, None].float())
        lost += float(outputs[-1].sum())
    assert lost > 0.0
    assert (signal.share - signal.returned_share).sum() * STEPS == pytest.approx(lost)


def test_activity_of_nothing_is_refused():
    with pytest.raises(UsageError, match="no sequences"):
        measure(network_of(), ())


def test_every_kind_of_unit_has_the_price_of_its_update():
    assert set(UPDATES) == set(typing.get_args(Network.model_fields["unit"].annotation))


def test_prices_are_the_published_ones_with_unit_and_source():
    prices = load_prices()
    pairs = {name: (pair.mac_pj.value, pair.ac_pj.value) for name, pair in prices.pairs.items()}
    assert pairs == {"float32": (4.6, 0.9), "int32": (3.2, 0.1), "int8": (0.23, 0.03)}
    for pair in prices.pairs.values():
        assert pair.mac_pj.unit == pair.ac_pj.unit == "pJ"
        assert "doi:10.1109/ISSCC.2014.6757323" in pair.mac_pj.source


def test_a_device_of_ten_microsiemens_takes_52_femtojoules():
    values = load_parameter_set("ideal").with_values(g_max=10.0, reset_median=0.0).values
    weight = np.ones((1, 1))
    found = array_energy(weight, np.ones(1), values, Hardware(), load_prices().arrays)
    assert found.device_pj == pytest.approx(0.052)


def test_devices_take_energy_while_their_row_is_active_and_columns_always():
    values = load_parameter_set("ideal").with_values(g_max=20.0, reset_median=0.0).values
    weight = np.array([[1.0, -0.5], [0.25, 0.0], [1.0, 1.0]])
    hardware, arrays = Hardware(tile_rows=2), load_prices().arrays
    found = array_energy(weight, np.array([0.5, 1.0, 0.0]), values, hardware, arrays)
    assert found.device_pj == pytest.approx((0.5 * 30.0 + 5.0) * 0.2**2 * 0.13)
    assert found.product_pj == pytest.approx(4 * 48.8)  # three rows on two tiles, two columns each
    assert found.program_pj == pytest.approx(12 * 1400.0)
    twice = array_energy(weight, np.ones(3), values, Hardware(pairs=2), arrays)
    assert twice.product_pj == pytest.approx(2 * 2 * 48.8)
    assert twice.program_pj == pytest.approx(24 * 1400.0)


def test_devices_in_reset_conduct_their_mean():
    values = load_parameter_set("pcm-gst-90nm").values
    found = array_energy(np.ones((1, 1)), np.ones(1), values, Hardware(), load_prices().arrays)
    draws = 0.1 * np.exp(0.5 * np.random.default_rng(1).normal(size=200_000))
    g_reset = found.device_pj / (0.2**2 * 0.13) - 25.0
    assert abs(g_reset - draws.mean()) < 4.0 * draws.std() / np.sqrt(len(draws))


def conv_network(unit="snu"):
    """Patches of 3 x 4 pixels beginning every two, with zeros at the edge; then 2 x 2 pooled."""
    spec = Network(
        unit=unit, image=(1, 8, 11), hidden=(5,), threshold=0.1,
        convolutions=[
            {"channels": 3, "kernel": 3, "stride": 2, "padding": 1},
            {"channels": 2, "kernel": 2, "pool": 2},
        ],
    )  # fmt: skip
    return SpikingNetwork(spec, torch.Generator().manual_seed(5))


def seen_by_hand(network, layer, window, sent):
    """Events that stand in patches, each as often as it stands in one."""
    spikes, found = sent.reshape(window.seen.height, window.seen.width, -1), 0
    for top in range(-window.padding, 99, window.stride):
        for left in range(-window.padding, 99, window.stride):
            rows = top + window.kernel <= window.seen.height + window.padding
            if rows and left + window.kernel <= window.seen.width + window.padding:
                part = spikes[
                    max(top, 0) : top + window.kernel, max(left, 0) : left + window.kernel
                ]
                found += int(part.sum())
    return found


def test_an_event_counts_for_every_patch_of_a_convolution_that_it_stands_in(split):
    network = conv_network()
    wanted = dict.fromkeys([*network.hidden, "readout"], 0)
    for roll in split.rolls:
        x = torch.from_numpy(roll[:-1]).float()
        outputs = hidden_outputs(network, x[:, None])
        for name, sent in zip(wanted, [x[:, None], *outputs], strict=True):
            columns = network.get_parameter(f"{name}.weight").shape[1]
            for step in sent[:, 0]:
                window = network.windows.get(name)
                events = int(step.sum()) if window is None else seen_by_hand(
                    network, name, window, step
                )  # fmt: skip
                wanted[name] += events * columns + (88 if name == "readout" else 0)
    found = operations(network, measure(network, split))
    assert min(wanted.values()) > 0
    assert {layer.layer: layer.acs * STEPS for layer in found} == pytest.approx(wanted)
    assert [(layer.inputs, layer.units) for layer in found] == [
        (88, 4 * 6 * 3), (72, 3 * 5 * 2), (4, 5), (5, 88),
    ]  # fmt: skip
    # A multiplication of the matrix for each pixel and an update of each unit.
    assert [layer.dense_macs for layer in found] == [
        24 * 9 * 3 + 72, 15 * 12 * 2 + 30, 4 * 5 + 5, 5 * 88,
    ]  # fmt: skip
    assert [layer.macs for layer in found] == [72.0, 30.0, 5.0, 0.0]


def test_graded_inputs_multiply_the_matrix_at_every_pixel(split):
    found = operations(conv_network("ssnu"), measure(conv_network("ssnu"), split))
    assert [layer.macs for layer in found][1:3] == [15 * 12 * 2 + 60, 4 * 5 + 10]


def test_an_array_takes_the_products_of_all_pixels():
    values = load_parameter_set("ideal").with_values(g_max=20.0, reset_median=0.0).values
    parts = (np.ones((2, 3)), np.array([0.5, 7.0]), values, Hardware(), load_prices().arrays)
    one, many = array_energy(*parts), array_energy(*parts, products=15)
    assert many.product_pj == pytest.approx(15 * 3 * 48.8)
    assert (many.device_pj, many.program_pj) == (one.device_pj, one.program_pj)
