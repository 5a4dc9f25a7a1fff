"""Steps in compiled code against the steps of the network, which define them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pcmsim.config import Network
from pcmsim.errors import UsageError
from pcmsim.networks import SpikingNetwork, Streamer, streamer_kernel, units

KINDS = ["snu", "ssnu", "li_snu", "asnu", "lif", "alif"]
READOUTS = ["dense", "leaky", "spiking"]
INPUTS = 9


def network_of(unit="snu", recurrent=True, readout="dense", dtype=torch.float32, **settings):
    given = {"hidden": (7, 5), "inputs": INPUTS, "outputs": 3, "threshold": 0.2} | settings
    spec = Network(unit=unit, recurrent=recurrent, readout=readout, **given)
    network = SpikingNetwork(spec, torch.Generator().manual_seed(4), dtype)
    with torch.no_grad():
        for name, value in network.named_parameters():
            # Thresholds and biases that differ, so that a wrong place among them shows.
            if name.endswith(("threshold", "bias")):
                value += torch.linspace(-0.1, 0.1, len(value), dtype=dtype)
    return network


def rows(dtype=np.float32):
    """Rows of zero, one, two, ... ones, then graded rows."""
    rng = np.random.default_rng(5)
    binary = [rng.permutation(np.arange(INPUTS) < n) for n in range(INPUTS + 1)]
    graded = 2.0 * rng.standard_normal((15, INPUTS))
    return np.concatenate([np.array(binary) * 1.0, graded]).astype(dtype)


def compared(network, tolerance):
    """Outputs of the hidden layers, after each step was found to be that of the network."""
    streamer, states, found = Streamer(network), network.rest(), []
    for x in rows(next(network.parameters()).detach().numpy().dtype):
        with torch.no_grad():
            states, logits = network.step(states, torch.from_numpy(x)[None])
        np.testing.assert_allclose(streamer.step(x), logits[0].numpy(), rtol=0.0, atol=tolerance)
        outputs = streamer.outputs()
        for name, state in zip(network.hidden, states, strict=False):
            wanted = state.output[0].numpy()
            exact = network.spec.unit != "ssnu"
            np.testing.assert_allclose(outputs[name], wanted, 0.0, 0.0 if exact else tolerance)
            found.append(wanted)
    return np.concatenate(found)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("recurrent", [False, True], ids=["forward", "recurrent"])
@pytest.mark.parametrize("unit", KINDS)
def test_steps_are_those_of_the_network(unit, recurrent, readout):
    outputs = compared(network_of(unit, recurrent, readout), 2e-6)
    assert 0.05 < outputs.mean() < 0.95


@pytest.mark.parametrize("unit", KINDS)
def test_each_unit_keeps_its_own_trained_decay(unit):
    settings = {"trained_decay": True, "time_constants": (1.0, 30.0)}
    if unit in ("asnu", "alif"):
        settings["adaptation"] = {"strength": 0.7, "time_constants": (1.0, 30.0)}
    compared(network_of(unit, **settings), 2e-6)


@pytest.mark.parametrize("unit", ["snu", "ssnu", "li_snu", "asnu"])
def test_potentials_below_zero_have_the_slope_of_the_activation(unit):
    compared(network_of(unit, activation="leaky_relu"), 2e-6)


@pytest.mark.slow  # compiles the step in the other precision
@pytest.mark.parametrize("unit", KINDS)
def test_steps_in_double_precision_are_those_of_the_network_to_more_places(unit):
    compared(network_of(unit, dtype=torch.float64), 1e-14)


def test_after_a_reset_a_sequence_begins_again():
    streamer, x = Streamer(network_of("alif")), rows()
    first = [streamer.step(row) for row in x]
    assert not np.array_equal([streamer.step(row) for row in x], first)
    streamer.reset()
    np.testing.assert_array_equal([streamer.step(row) for row in x], first)


def test_results_belong_to_the_caller_and_weights_are_those_of_the_beginning():
    network, x = network_of("ssnu"), rows()
    streamer, other = Streamer(network), Streamer(network)
    first = streamer.step(x[3])
    np.testing.assert_array_equal(first, other.step(x[3]))
    before = first.copy()
    with torch.no_grad():
        for value in network.parameters():
            value.zero_()
    other.outputs()["hidden0"].fill(9.0)
    second = streamer.step(x[4])
    np.testing.assert_array_equal(first, before)
    np.testing.assert_array_equal(second, other.step(x[4]))
    assert second.any()


def test_rows_that_are_not_contiguous_are_taken_as_they_are_meant():
    streamer, x = Streamer(network_of("ssnu")), rows()[-1]
    wanted = streamer.step(x)
    streamer.reset()
    np.testing.assert_array_equal(streamer.step(np.repeat(x, 2)[::2]), wanted)


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (np.ones(INPUTS + 1, np.float32), r"float32 of shape \(10,\)"),
        (np.ones((1, INPUTS), np.float32), r"float32 of shape \(1, 9\)"),
        (np.ones(INPUTS, np.float64), "float64"),
        (np.ones(INPUTS, bool), "bool"),
        (torch.ones(INPUTS), "a Tensor"),
    ],
    ids=["long", "batch", "double", "bool", "tensor"],
)
def test_another_shape_or_precision_is_refused_and_changes_nothing(x, told):
    streamer = Streamer(network_of("ssnu"))
    with pytest.raises(UsageError, match=f"{told}.* row of float32 of shape"):
        streamer.step(x)
    assert not any(values.any() for values in streamer.outputs().values())


def test_networks_of_other_layers_or_precisions_are_refused_by_the_name_of_the_layer():
    network = network_of()
    network.hidden1 = torch.nn.Linear(7, 5)
    with pytest.raises(UsageError, match=r"hidden1 is a Linear.*SpikingNetwork\.step"):
        Streamer(network)
    with pytest.raises(UsageError, match=r"hidden0 holds torch\.bfloat16 on cpu"):
        Streamer(network_of(dtype=torch.bfloat16))


def test_code_on_disk_is_found_by_the_code_of_every_unit():
    kernels = {path.stem for path in Path(units.__path__[0]).glob("*_kernel.py")}
    parts = streamer_kernel.PARTS
    assert kernels <= {part.__name__.rpartition(".")[2] for part in parts}
    stamps = {streamer_kernel.stamp_of(parts[:n]) for n in range(len(parts) + 1)}
    assert len(stamps) == len(parts) + 1


def test_convolutions_are_refused_with_the_way_that_knows_them():
    convolution = {"channels": 2, "kernel": 3}
    spec = Network(unit="snu", inputs=36, image=(1, 6, 6), convolutions=(convolution,))
    with pytest.raises(UsageError, match=r"network\.convolutions.*SpikingNetwork\.step"):
        Streamer(SpikingNetwork(spec))


@pytest.mark.parametrize("tied", [False, True])
def test_words_are_refused_with_the_way_that_knows_them(tied):
    spec = Network(unit="snu", inputs=7, outputs=7, hidden=(4,), embedding=4, tied=tied)
    with pytest.raises(UsageError, match=r"network\.embedding = 4.*SpikingNetwork\.step"):
        Streamer(SpikingNetwork(spec))
