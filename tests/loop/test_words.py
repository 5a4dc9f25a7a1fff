"""Language models: what they can learn, and that no more answers exist at once than have to."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from pcmsim.config import Bptt, Hardware, Network, Training, TruncatedBptt
from pcmsim.crossbar import Chip
from pcmsim.datasets import Dataset
from pcmsim.datasets.tokens import Tokens
from pcmsim.loop import evaluate, fit, judging, measured, program_network, stream
from pcmsim.loop.learners import make_learner
from pcmsim.networks import SpikingNetwork

WORDS = 30
NAMES = tuple(map(str, range(WORDS)))
STEPWISE = TruncatedBptt(rule="truncated_bptt", steps=10, update="step")


def network_of(size, **changes):
    given = {"unit": "ssnu", "inputs": WORDS, "outputs": WORDS, "hidden": (size,), "decay": 0.1}
    given |= {"threshold": 0.0, "embedding": size, "tied": True}
    return SpikingNetwork(Network(**given | changes))


def chain(p, n, rng):
    """Words that follow one another with the probabilities `p` (word, next word)."""
    words, ends = [0], p.cumsum(1)
    for u in rng.random(n):
        words.append(min(int(np.searchsorted(ends[words[-1]], u)), len(p) - 1))
    return np.array(words)


@pytest.fixture(scope="module")
def markov():
    """A made language, and what its own probabilities score on each word of the test text [nat]."""
    rng = np.random.default_rng(7)
    p = rng.dirichlet(np.full(WORDS, 0.2), WORDS)
    texts = {name: chain(p, n, rng) for name, n in (("train", 16000), ("valid", 4000))}
    texts["test"] = chain(p, 4000, rng)
    splits = [Tokens(name, ids, NAMES, 50) for name, ids in texts.items()]
    test = texts["test"]
    return Dataset("made", *splits, ""), -np.log(p[test[:-1], test[1:]])


@pytest.mark.parametrize(
    ("size", "epochs", "batch", "rule", "most"),
    [
        pytest.param(48, 20, 16, Bptt(), 0.05, marks=pytest.mark.slow),
        (64, 4, 32, STEPWISE, 0.10),
    ],
)
def test_perplexity_comes_close_to_that_of_the_entropy_rate(
    markov, size, epochs, batch, rule, most
):
    """870 probabilities from 16,000 words cost about 870 / 32,000 = 0.027 nat by themselves."""
    dataset, own = markov
    settings = {"epochs": epochs, "batch_size": batch, "learning_rate": 3.0e-2}
    training = Training(**settings, optimiser="adam", schedule="cosine")
    network = network_of(size)
    fit(network, dataset, training, 0, learning=rule)
    excess = evaluate(network, dataset.test).per_step - own.mean()
    assert 0.0 < excess < most  # a text of one word at a time could be predicted 1.09 nat worse


def test_updates_of_every_stretch_without_a_step_add_up_to_the_deferred_one(markov):
    network, batch = network_of(8, recurrent=True), markov[0].train.batch(range(3))
    found = []
    for update in ("deferred", "step"):
        learning = TruncatedBptt(rule="truncated_bptt", steps=20, update=update)
        learner, losses, total = make_learner(learning, network, 0), [], 0.0
        for loss in learner(network, batch, None, nullcontext):
            losses.append(loss)
            total = total + network.readout.weight.grad.clone()
        found.append((losses, total))
    (deferred, whole), (steps, summed) = found
    assert (len(deferred), len(steps)) == (1, 3)  # 50 words in stretches of 20
    assert sum(steps) == pytest.approx(deferred[0], rel=1e-6)
    torch.testing.assert_close(summed, whole, rtol=1e-4, atol=1e-5)


def test_answers_are_judged_in_parts_to_the_same_score(markov, monkeypatch):
    network = network_of(8, recurrent=True)
    batch = Tokens("test", markov[0].test.ids[:86], NAMES, 35).batch(range(3))  # 35, 35, 15 words
    with torch.no_grad():
        whole = judging.score(network, network(judging.inputs(batch)), batch)
        monkeypatch.setattr(judging, "ROWS", 24)
        rows = []
        network.readout.register_forward_pre_hook(lambda _, x: rows.append(x[0][..., 0].numel()))
        parts = judging.scored(network, batch)
    assert max(rows) <= 24
    assert sum(rows) == 105
    torch.testing.assert_close(parts, whole)


@pytest.mark.parametrize("tied", [False, True])
def test_on_ideal_devices_words_are_predicted_as_in_software(markov, tied):
    network = network_of(8, recurrent=True, tied=tied)
    test = Tokens("test", markov[0].test.ids[:86], NAMES, 35)
    chip = Chip(Hardware(device="ideal"), 1, often=True)
    program_network(chip, network)
    software = evaluate(network, test).per_step
    assert evaluate(network, test, measured(chip)).per_step == pytest.approx(software, rel=1e-5)
    assert stream(network, chip, test).evaluation.per_step == pytest.approx(software, rel=1e-5)
