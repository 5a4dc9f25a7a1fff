import hashlib

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from pcmsim.config import Network
from pcmsim.errors import DataError
from pcmsim.networks import SpikingNetwork, load_network, save_network

SPEC = Network(unit="ssnu", inputs=4, hidden=(6, 5), outputs=3, recurrent=True, decay=0.4)


@pytest.fixture
def folder(tmp_path):
    save_network(SpikingNetwork(SPEC, torch.Generator().manual_seed(8)), tmp_path / "network")
    return tmp_path / "network"


def rewrite(folder, change):
    """Change the tensors and sign them, as a program that knows the format would."""
    tensors = load_file(folder / "weights.safetensors")
    change(tensors)
    save_file(tensors, folder / "weights.safetensors")
    digest = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    describe(folder, weights_sha256=digest)


def describe(folder, **changes):
    path = folder / "network.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_read_back_computes_exactly_the_same(tmp_path, dtype):
    network = SpikingNetwork(SPEC, torch.Generator().manual_seed(8), dtype)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.01
    save_network(network, tmp_path)
    loaded = load_network(tmp_path)
    x = torch.randn(9, 2, 4, generator=torch.Generator().manual_seed(1), dtype=dtype)
    assert loaded.spec == SPEC
    assert torch.equal(loaded(x), network(x))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["network.yaml", "weights.safetensors"]


ALIF = Network(
    unit="alif",
    inputs=4,
    hidden=(6,),
    outputs=3,
    recurrent=True,
    time_constants=(2.0, 9.0),
    surrogate={"name": "multi_gaussian", "scale": 0.4},
    readout={"name": "leaky", "time_constants": (3.0, 4.0)},
)


def test_trained_decays_and_settings_of_a_unit_come_back(tmp_path):
    network = SpikingNetwork(ALIF, torch.Generator().manual_seed(8))
    save_network(network, tmp_path)
    loaded = load_network(tmp_path)
    x = torch.randn(9, 2, 4, generator=torch.Generator().manual_seed(1))
    assert loaded.spec == ALIF
    assert torch.equal(loaded(x), network(x))


KEYS_OF_FORMAT_1 = (
    "unit", "inputs", "hidden", "outputs", "recurrent", "decay", "activation", "threshold",
)  # fmt: skip


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
def test_a_run_of_format_1_loads_as_the_network_that_it_was(tmp_path, unit):
    network = SpikingNetwork(Network(unit=unit, inputs=4, hidden=(6,), outputs=3))
    save_network(network, tmp_path)
    known = network.spec.model_dump(mode="json")
    describe(tmp_path, format=1, network={name: known[name] for name in KEYS_OF_FORMAT_1})
    loaded = load_network(tmp_path)
    x = torch.randn(9, 2, 4, generator=torch.Generator().manual_seed(1))
    assert loaded.spec == network.spec
    assert torch.equal(loaded(x), network(x))
    describe(tmp_path, network={name: known[name] for name in KEYS_OF_FORMAT_1[:-1]})
    with pytest.raises(DataError, match=r"network\.threshold is missing"):
        load_network(tmp_path)
    describe(tmp_path, network=known)
    with pytest.raises(DataError, match=r"format 1 has no network\."):
        load_network(tmp_path)


def test_saving_again_replaces_what_was_there(folder):
    other = SpikingNetwork(Network(unit="snu", inputs=2, hidden=(3,), outputs=1))
    save_network(other, folder)
    assert load_network(folder).spec == other.spec


def test_one_flipped_bit_of_the_weights_is_noticed(folder):
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="SHA-256"):
        load_network(folder)


def remove(tensors):
    del tensors["hidden1.recurrent"]


def add(tensors):
    tensors["hidden2.weight"] = torch.zeros(2, 2)


def reshape(tensors):
    tensors["readout.weight"] = tensors["readout.weight"].T.contiguous()


def poison(tensors):
    tensors["hidden0.threshold"][3] = float("nan")


def mix(tensors):
    tensors["readout.bias"] = tensors["readout.bias"].double()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove, "hidden1.recurrent is missing"),
        (add, "hidden2.weight does not belong"),
        (reshape, r"readout.weight has shape \(3, 5\).*\(5, 3\)"),
        (poison, "hidden0.threshold holds values that are not finite"),
        (mix, "holds torch.float32, torch.float64; all must be"),
    ],
)
def test_tensors_that_do_not_make_the_network_are_refused(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(DataError, match=message):
        load_network(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 4}, "format is 4; this version reads formats 1 to 3"),
        ({"network": SPEC.model_dump(mode="json") | {"decay": 3.0}}, "network.decay = 3.0"),
        ({"network": SPEC.model_dump(mode="json") | {"hiden": 3}}, "network.hiden = 3"),
        ({"network": None}, "network.unit is missing"),
        ({"network": {"unit": "snu"}}, "network.inputs is missing"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused(folder, changes, message):
    describe(folder, **changes)
    with pytest.raises(DataError, match=message):
        load_network(folder)


@pytest.mark.parametrize("content", ["[unclosed", "- a list", ""])
def test_a_description_that_is_no_description_is_refused(folder, content):
    (folder / "network.yaml").write_text(content)
    with pytest.raises(DataError, match=r"network\.yaml"):
        load_network(folder)


def test_weights_that_are_no_safetensors_are_refused(folder):
    content = b"not a tensor file"
    (folder / "weights.safetensors").write_bytes(content)
    describe(folder, weights_sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(DataError, match="is not a safetensors file"):
        load_network(folder)


@pytest.mark.parametrize("name", ["network.yaml", "weights.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        load_network(folder)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DataError, match=r"taken/weights\.safetensors cannot be written"):
        save_network(SpikingNetwork(SPEC), tmp_path / "taken")
