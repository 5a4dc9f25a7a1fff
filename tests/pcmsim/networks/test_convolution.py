import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional

from pcmsim.config import Hardware, Network
from pcmsim.crossbar import Chip
from pcmsim.loop import measured, program_network
from pcmsim.networks import SpikingNetwork, load_network, reference, save_network, stretch
from pcmsim.networks.patches import Grid, patches, plain_patches

IMAGE = (2, 7, 6)
FIRST = {"channels": 4, "kernel": 3, "stride": 2, "padding": 1}
POOLED = {"channels": 3, "kernel": 3, "padding": 1, "pool": 2}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network_of(convolutions=(FIRST, POOLED), hidden=(5,), dtype=torch.float64, **keys):
    spec = Network(
        **{"unit": "snu", "threshold": 0.3} | keys,
        inputs=84, image=IMAGE, convolutions=convolutions, hidden=hidden, outputs=3,
    )  # fmt: skip
    network = SpikingNetwork(spec, seeded(4), dtype)
    with torch.no_grad():
        for name in network.hidden:
            threshold = network.get_parameter(f"{name}.threshold")
            threshold += 0.2 * torch.rand(threshold.shape, generator=seeded(5), dtype=dtype)
            network.get_parameter(f"{name}.weight").mul_(8.0 if keys.get("unit") == "alif" else 1.0)
    return network


def sequence(dtype=torch.float64, steps=6, batch=2):
    return torch.randn(steps, batch, 84, generator=seeded(9), dtype=dtype) * 1.5


def layer_by_torch(network, name, x, settings):
    """Spikes (time, batch, channels, height, width) of images x of the same axes."""
    layer = network.get_submodule(name)
    steps, batch, channels = x.shape[:3]
    k, count = settings["kernel"], settings["channels"]
    kernel = layer.weight.T.reshape(count, k, k, channels).permute(0, 3, 1, 2)
    place = {key: settings[key] for key in ("stride", "padding") if key in settings}
    currents = functional.conv2d(x.flatten(0, 1), kernel, **place)
    high, wide = currents.shape[2:]
    flat = currents.permute(0, 2, 3, 1).reshape(steps, batch * high * wide, count)
    y = reference.scan(flat, None, layer.threshold, layer.unit, layer.decays())
    images = y.reshape(steps * batch, high, wide, count).permute(0, 3, 1, 2)
    if settings.get("pool", 1) > 1:
        images = functional.max_pool2d(images, settings["pool"])
    return images.unflatten(0, (steps, batch))


def written_out(network, x, convolutions):
    y = x.unflatten(2, IMAGE)
    for i, settings in enumerate(convolutions):
        y = layer_by_torch(network, f"conv{i}", y, settings)
    y = y.permute(0, 1, 3, 4, 2).flatten(2)
    if network.spec.hidden:
        hidden = network.hidden0
        back = None if hidden.recurrent is None else (lambda o: o @ hidden.recurrent)
        currents = y @ hidden.weight
        y = reference.scan(currents, back, hidden.threshold, hidden.unit, hidden.decays())
    return y @ network.readout.weight + network.readout.bias


@pytest.mark.parametrize(
    ("unit", "convolutions"),
    [
        ("snu", (FIRST, POOLED | {"pool": 1})),
        ("ssnu", (FIRST, POOLED | {"stride": 2})),
        ("li_snu", (FIRST,)),
        ("alif", (POOLED | {"pool": 1, "padding": 0}, FIRST)),
    ],
)
def test_a_convolution_is_that_of_torch_and_the_plain_loop_in_value_and_gradient(
    unit, convolutions
):
    keys = {} if unit != "alif" else {"recurrent": True, "time_constants": (2.0, 9.0)}
    network, x = network_of(convolutions, unit=unit, **keys), sequence().requires_grad_()
    found, wanted = network(x), written_out(network, x, convolutions)
    assert (found - network.readout.bias).abs().mean() > 0.02
    assert torch.allclose(found, wanted, atol=1e-12)
    weight = torch.randn(found.shape, generator=seeded(1), dtype=torch.float64)
    of = (x, *network.parameters())
    for own, other in zip(
        torch.autograd.grad((found * weight).sum(), of),
        torch.autograd.grad((wanted * weight).sum(), of),
        strict=True,
    ):
        assert own.abs().sum() > 0.0
        assert torch.allclose(own, other, atol=1e-11)


def test_pooled_spikes_are_the_spikes_of_any_unit_and_share_their_gradient():
    network = network_of((POOLED,), hidden=())
    y = torch.zeros(1, 42, 3, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        y[0, 0, 1] = y[0, 7, 1] = 1.0  # pixels (0, 0) and (1, 1) of one square
    sent = network.sent("conv0", y)
    assert sent.shape == (1, 1, 27)
    assert sent.sum() == sent[0, 0, 1] == 1.0
    (found,) = torch.autograd.grad(sent[0, 0, 1], y)
    assert found[0, :, 1].nonzero().flatten().tolist() == [0, 7]
    assert found.sum() == pytest.approx(1.0)
    assert found[0, 0, 1] == pytest.approx(0.5)


def test_pooling_is_that_of_torch_where_squares_do_not_fill_the_image():
    network, x = network_of((POOLED,), unit="ssnu", hidden=()), sequence()
    assert torch.allclose(network(x), written_out(network, x, (POOLED,)), atol=1e-12)


@pytest.mark.parametrize("unit", ["snu", "li_snu", "alif"])
def test_step_by_step_a_network_of_convolutions_answers_as_at_once(unit):
    network, x = network_of(unit=unit, recurrent=True), sequence()
    states, logits = network.rest(2), []
    assert [tuple(state.output.shape) for state in states] == [(24, 4), (24, 3), (2, 5)]
    for row in x:
        states, answer = network.step(states, row)
        logits.append(answer)
    assert torch.allclose(torch.stack(logits), network(x), atol=1e-12)
    assert network(x).std() > 0.01


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
def test_stretches_of_steps_go_on_where_those_before_have_ended(unit):
    network, x = network_of(unit=unit, recurrent=True), sequence()
    states, found = network.rest(2), []
    for part in (x[:1], x[1:4], x[4:]):
        states, logits = stretch(network, states, part)
        found.append(logits)
    torch.testing.assert_close(torch.cat(found), network(x), atol=1e-10, rtol=0)


def test_lateral_inhibition_is_among_the_channels_of_a_pixel():
    network = network_of((FIRST,), unit="li_snu", hidden=(), decay=1.0)
    pixels = torch.zeros(2, 12, 4, dtype=torch.float64)
    pixels[0, 0, 2] = 9.0  # the first channel of the first pixel has 0.25 and is silenced
    pixels[0, :2, 0] = 0.25
    pixels[1, :, 0] = 0.25
    with torch.no_grad():
        network.conv0.threshold.fill_(0.4)
    outputs = network.conv0(pixels @ torch.linalg.pinv(network.conv0.weight))
    assert outputs[0].sum() == 1.0
    assert outputs[1].nonzero().tolist() == [[1, 0]]


def test_only_layers_without_windows_are_recurrent():
    assert list(network_of(recurrent=True).matrices()) == [
        "conv0.weight", "conv1.weight", "hidden0.weight", "hidden0.recurrent", "readout.weight",
    ]  # fmt: skip


def test_measured_products_are_asked_for_with_patches_as_rows():
    network, calls = network_of(), []
    matrices = network.matrices()

    def multiply(name, rows):
        calls.append((name, tuple(rows.shape)))
        return rows @ matrices[name]

    assert torch.allclose(network(sequence(), multiply), network(sequence()), atol=1e-12)
    assert calls == [
        ("conv0.weight", (6, 24, 18)),
        ("conv1.weight", (6, 24, 36)),
        ("hidden0.weight", (6, 2, 6)),
        ("readout.weight", (6, 2, 5)),
    ]
    assert network.products() == {
        "conv0.weight": 12, "conv1.weight": 12, "hidden0.weight": 1, "readout.weight": 1,
    }  # fmt: skip


def test_on_ideal_devices_a_chip_finds_what_software_finds():
    network, x = network_of(dtype=torch.float32, unit="ssnu"), sequence(torch.float32)
    chip = Chip(Hardware(device="ideal"), 1)
    program_network(chip, network)
    with torch.no_grad():
        assert torch.allclose(network(x, measured(chip)), network(x), atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(1, 1, 0), (5, 3, 2), (9, 2, 8)])
def test_patches_and_their_sums_are_those_of_torch(dtype, kernel, stride, padding):
    grid = Grid(6, 5, 3, kernel, stride, padding)
    images = torch.randn(2, 6, 5, 3, generator=seeded(1), dtype=dtype, requires_grad=True)
    found, wanted = patches(images, grid), plain_patches(images, grid)
    assert found.dtype == dtype
    assert torch.equal(found, wanted)
    weight = torch.randn(found.shape, generator=seeded(2), dtype=dtype)
    (own,) = torch.autograd.grad((found * weight).sum(), images)
    (other,) = torch.autograd.grad((wanted * weight).sum(), images)
    assert torch.allclose(own, other, atol=1e-5)


def test_gradients_of_gradients_pass_through_patches():
    images = torch.randn(1, 2, 3, 1, generator=seeded(1), dtype=torch.float64, requires_grad=True)

    def cubed(images):
        return patches(images, Grid(2, 3, 1, 2, 1, 1)).pow(3)

    assert torch.autograd.gradgradcheck(cubed, (images,))


def test_a_network_of_convolutions_read_back_computes_exactly_the_same(tmp_path):
    network = network_of()
    save_network(network, tmp_path)
    loaded = load_network(tmp_path)
    assert loaded.spec == network.spec
    assert torch.equal(loaded(sequence()), network(sequence()))
    assert "format: 3" in (tmp_path / "network.yaml").read_text()


KEYS_OF_FORMAT_2 = {
    "unit", "inputs", "hidden", "outputs", "recurrent", "trained_decay", "decay", "time_constants",
    "activation", "threshold", "surrogate", "adaptation", "readout",
}  # fmt: skip
WORDS = {"unit": "snu", "inputs": 5, "outputs": 5, "hidden": (4,), "embedding": 4}


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ({"unit": "snu"}, 2),
        ({"unit": "snu", "initial": "fluctuation"}, 3),
        (WORDS, 3),
        (WORDS | {"tied": True}, 3),
    ],
)
def test_networks_that_earlier_versions_know_are_written_as_they_read_them(given, number, tmp_path):
    network = SpikingNetwork(Network(**given))
    save_network(network, tmp_path)
    found = yaml.safe_load((tmp_path / "network.yaml").read_text())
    assert found["format"] == number
    assert (set(found["network"]) == KEYS_OF_FORMAT_2) == (number == 2)
    assert load_network(tmp_path).spec == network.spec


def test_values_stand_in_as_many_patches_as_counted_by_hand():
    window = network_of((FIRST,)).windows["conv0"]
    found = window.uses().reshape(IMAGE)
    across = np.array([1, 2, 1, 2, 1, 1])
    down = np.array([1, 2, 1, 2, 1, 2, 1])
    np.testing.assert_array_equal(found, np.broadcast_to(np.outer(down, across), IMAGE))
