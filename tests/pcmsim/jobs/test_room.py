"""Networks that no machine has room for, told before anything is made."""

import math

import pytest
import torch
import yaml

from pcmsim.config import Network, build
from pcmsim.errors import UsageError
from pcmsim.jobs import room
from pcmsim.jobs.sizes import check_sizes
from pcmsim.networks import SpikingNetwork

IMAGE = {"unit": "snu", "inputs": 64, "image": [1, 8, 8], "outputs": 10}
LAYER = {"channels": 2, "kernel": 3, "pool": 2}
NETWORKS = [
    {"unit": "snu", "inputs": 5, "hidden": [4, 3], "outputs": 2, "recurrent": True},
    IMAGE | {"hidden": [], "convolutions": [LAYER]},
    IMAGE
    | {"hidden": [7], "convolutions": [LAYER, LAYER | {"stride": 2, "padding": 1, "pool": 1}]},
    {"unit": "ssnu", "inputs": 6, "hidden": [4], "outputs": 6, "embedding": 4, "tied": True},
    {"unit": "ssnu", "inputs": 6, "hidden": [4], "outputs": 6, "embedding": 3},
]
DIGITS = {
    "data": {"name": "digits", "steps": 6},
    "network": IMAGE | {"hidden": [4]},
    "training": {"epochs": 1, "batch_size": 256, "learning_rate": 0.01},
}


@pytest.mark.parametrize("values", NETWORKS)
def test_weights_are_counted_as_a_network_of_them_has_them(values):
    spec = Network.model_validate(values)
    network = SpikingNetwork(spec)
    table = 0 if network.embedding is None else network.embedding.weight.numel()
    assert room.weights(spec) == table + sum(w.numel() for w in network.matrices().values())


@pytest.mark.parametrize("values", [NETWORKS[1], NETWORKS[2], {"unit": "snu", "hidden": [4, 3]}])
def test_values_of_a_step_are_what_its_products_take_and_its_layers_give(values):
    spec = Network.model_validate(values)
    network, taken = SpikingNetwork(spec), []

    def multiply(name, rows):
        taken.append(rows.numel())
        return rows @ network.matrices()[name]

    network(torch.zeros(1, 1, spec.inputs), multiply)
    given = sum(math.prod(window.spiking) for window in network.windows.values())
    assert room.values_per_step(spec) == sum(taken) + given + spec.outputs


@pytest.mark.parametrize(
    "network",
    [
        {"hidden": [65536, 65536]},
        {"hidden": [65536], "recurrent": True},
        {"convolutions": [{"channels": 1, "kernel": 60000, "padding": 59999}]},
    ],
)
def test_a_network_of_too_many_weights_is_refused_before_data_are_read(network):
    config = build(DIGITS | {"network": DIGITS["network"] | network})
    with pytest.raises(UsageError, match=r"has [\d,]+ weights; 268,435,456 are allowed: lower"):
        check_sizes(config)


def test_layers_whose_outputs_have_no_room_are_refused_before_a_folder_is_made(pcmsim, tmp_path):
    network = IMAGE | {"hidden": [], "convolutions": [{"channels": 65536, "kernel": 3}]}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(DIGITS | {"network": network}))
    code, _, err = pcmsim("train", tmp_path / "c.yaml", "--out", tmp_path / "run")
    assert code == 2
    assert err.startswith(
        "error: training.batch_size = 256: network 64-65536c3-10 has 4,718,926 in"
    )
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_batch_counts_the_sequences_there_are_and_stretches_the_steps_that_are_held():
    text = {"data": {"name": "ptb", "steps": 60000}, "network": NETWORKS[3] | {"hidden": [4]}}
    whole = build(DIGITS | text)
    cut = build(DIGITS | text | {"learning": {"rule": "truncated_bptt", "steps": 35}})
    room.check_values(whole, [60000] * 3)
    room.check_values(cut, [60000] * 1000)
    with pytest.raises(UsageError, match=r"batch_size = 256: .* in 15,360,000 steps at once"):
        room.check_values(
            build(DIGITS | text | {"network": IMAGE | {"hidden": [4]}}), [60000] * 1000
        )


def test_memory_that_torch_does_not_get_is_told_in_a_line(pcmsim, monkeypatch, trained):
    def give_out(*_, **__):
        raise RuntimeError("[x] DefaultCPUAllocator: can't allocate memory: you tried 8 bytes")

    monkeypatch.setattr("pcmsim.jobs.drift", give_out)
    code, _, err = pcmsim("drift", trained)
    assert (code, err.count("\n")) == (2, 1)
    assert err == "error: not enough memory (you tried 8 bytes); ask for less at once\n"


def test_words_shown_to_convolutions_are_refused(pcmsim, tmp_path):
    network = IMAGE | {"hidden": [], "convolutions": [{"channels": 2, "kernel": 3}]}
    values = DIGITS | {"data": {"name": "ptb"}, "network": network}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    code, _, err = pcmsim("train", tmp_path / "c.yaml", "--out", tmp_path / "run")
    assert code == 2
    assert err.startswith("error: data.name = ptb has numbers of words, which are no image")
