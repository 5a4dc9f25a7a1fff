"""Words as vectors: look-ups, the table shared with the readout, stretches of steps."""

import pytest
import torch
import yaml

from pcmsim.config import Network
from pcmsim.errors import UsageError
from pcmsim.networks import SpikingNetwork, load_network, save_network, stretch

WORDS = torch.tensor([[3, 0], [3, 6], [1, 2], [0, 5]])  # four steps, two texts
UNITS = ("snu", "ssnu", "li_snu", "asnu", "lif", "alif")


def network_of(tied=False, **changes):
    given = {"unit": "ssnu", "inputs": 7, "outputs": 7, "hidden": (4,), "embedding": 4}
    return SpikingNetwork(Network(**given | {"tied": tied} | changes), dtype=torch.float64)


def test_a_look_up_is_the_product_of_one_hot_words_with_the_table():
    network = network_of()
    one_hot = torch.nn.functional.one_hot(WORDS, 7).to(torch.float64)
    assert torch.equal(network.embedded(WORDS), one_hot @ network.embedding.weight)
    tied = network_of(tied=True)
    assert torch.equal(tied.embedded(WORDS), one_hot @ tied.readout.weight.T)


def test_the_gradient_of_a_shared_table_is_the_sum_of_its_two_uses():
    shared, apart = network_of(tied=True, recurrent=True), network_of(recurrent=True)
    values = dict(shared.named_parameters())
    with torch.no_grad():
        for name, parameter in apart.named_parameters():
            parameter.copy_(values[name] if name in values else values["readout.weight"].T)
    for network in (shared, apart):
        network(WORDS).square().sum().backward()
    both = apart.readout.weight.grad + apart.embedding.weight.grad.T
    torch.testing.assert_close(shared.readout.weight.grad, both)
    assert apart.embedding.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("tied", [False, True])
def test_a_table_of_words_goes_onto_no_array_and_the_readout_does(tied):
    shapes = {name: tuple(w.shape) for name, w in network_of(tied).matrices().items()}
    assert shapes == {"hidden0.weight": (4, 4), "readout.weight": (4, 7)}
    assert sum(p.numel() for p in network_of(tied).parameters()) == 55 + (0 if tied else 28)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("readout", ["dense", "leaky"])
def test_stretches_of_steps_find_what_the_whole_sequence_finds(unit, readout):
    network = network_of(
        unit=unit, hidden=(6, 5), recurrent=True, readout={"name": readout}, threshold=0.01
    )
    whole, words = [], torch.cat([WORDS, WORDS.flip(0)])
    states = network.rest(2)
    for part in (words[:1], words[1:6], words[6:]):
        states, logits = stretch(network, states, part)
        whole.append(logits)
    torch.testing.assert_close(torch.cat(whole), network(words), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (torch.zeros(2, 1, 7), "x is torch.float32; a network with an embedding takes numbers"),
        (torch.tensor([[7]]), "x holds words 7 to 7; this network knows 0 to 6"),
        (torch.tensor([[-1]]), "words -1 to -1"),
        (torch.tensor([1, 2]), r"x has shape \(2, 4\)"),
    ],
)
def test_what_is_no_word_is_refused(x, says):
    with pytest.raises(UsageError, match=says):
        network_of()(x)


@pytest.mark.parametrize("tied", [False, True])
def test_a_network_of_words_comes_back_from_its_files(tmp_path, tied):
    network = network_of(tied)
    save_network(network, tmp_path)
    assert torch.equal(load_network(tmp_path)(WORDS), network(WORDS))


def test_a_file_from_before_there_were_words_is_read(tmp_path):
    network = SpikingNetwork(Network(unit="ssnu", inputs=3, hidden=(2,), outputs=3))
    save_network(network, tmp_path)
    path = tmp_path / "network.yaml"
    description = yaml.safe_load(path.read_text()) | {"format": 3}
    description["network"] |= {"image": None, "convolutions": []}
    path.write_text(yaml.safe_dump(description))
    assert load_network(tmp_path).spec == network.spec


def test_a_stretch_refuses_what_a_step_refuses():
    network = network_of(unit="ssnu", hidden=(4,))
    with pytest.raises(UsageError, match=r"there are 0 states; .* and 1 states"):
        stretch(network, (), WORDS)
    with pytest.raises(UsageError, match=r"x has shape \(\d+, \d+\)"):
        stretch(network, network.rest(), WORDS[:, 0])
