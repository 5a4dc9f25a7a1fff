import itertools

import numpy as np
import pytest
import torch

from pcmsim.config import Network
from pcmsim.datasets import Split
from pcmsim.loop import evaluate, evaluation
from pcmsim.networks import SpikingNetwork

LENGTHS = (9, 2, 17, 5)


@pytest.fixture
def split():
    rng = np.random.default_rng(3)
    rolls = tuple(
        (rng.random((n, 88)) < 0.05 * (i + 1)).astype("u1") for i, n in enumerate(LENGTHS)
    )
    return Split("test", rolls)


def network_of(unit):
    network = SpikingNetwork(Network(unit=unit, hidden=(12,)), torch.Generator().manual_seed(5))
    with torch.no_grad():
        network.readout.bias.copy_(torch.linspace(-4.0, 1.0, 88))
        network.hidden0.threshold.copy_(torch.linspace(-0.1, 0.4, 12))
        network.hidden0.weight.mul_(3.0)
    return network


def by_hand(network, roll):
    """Errors of each step and outputs of each step, from the equations alone."""
    w, v = network.hidden0.weight.detach().double().numpy(), network.readout.weight.detach().numpy()
    b, c = network.hidden0.threshold.detach().numpy(), network.readout.bias.detach().numpy()
    s = y = np.zeros(len(b))
    errors, outputs = [], []
    for x, target in itertools.pairwise(roll):
        s = x @ w + 0.8 * s * (1.0 - y)
        y = (s > b) * 1.0 if network.spec.unit == "snu" else 1.0 / (1.0 + np.exp(b - s))
        p = 1.0 / (1.0 + np.exp(-(y @ v + c)))
        errors.append(-np.log(np.where(target, p, 1.0 - p)).sum())
        outputs.append(y)
    return np.array(errors), np.array(outputs)


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
def test_both_averages_and_the_activity_are_those_of_the_equations(split, unit):
    network = network_of(unit)
    hand = [by_hand(network, roll) for roll in split.rolls]
    found = evaluate(network, split)
    assert found.per_step == pytest.approx(np.concatenate([e for e, _ in hand]).mean(), rel=1e-5)
    assert found.per_sequence == pytest.approx(np.mean([e.mean() for e, _ in hand]), rel=1e-5)
    assert found.activity == pytest.approx(np.concatenate([y for _, y in hand]).mean(), rel=1e-5)
    assert abs(found.per_step - found.per_sequence) > 0.1  # or the two could be mixed up


def test_the_number_of_sequences_at_once_changes_nothing(split, monkeypatch):
    network = network_of("ssnu")
    together = evaluate(network, split)
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 3)
    apart = evaluate(network, split)
    assert apart.per_step == pytest.approx(together.per_step, rel=1e-6)
    assert apart.per_sequence == pytest.approx(together.per_sequence, rel=1e-6)
    assert apart.activity == pytest.approx(together.activity, rel=1e-6)


def test_measured_products_take_the_place_of_the_matrices(split):
    network, other = network_of("snu"), network_of("snu")
    scale = {"hidden0.weight": 0.7, "readout.weight": -1.3}
    with torch.no_grad():
        for name, matrix in other.matrices().items():
            matrix.mul_(scale[name])
    seen = []

    def multiply(name, rows):
        seen.append((name, rows.requires_grad, torch.is_grad_enabled()))
        return scale[name] * rows @ network.matrices()[name]

    measured = evaluate(network, split, multiply)
    wanted = evaluate(other, split)
    assert measured.per_step == pytest.approx(wanted.per_step, rel=1e-5)
    assert measured.activity == pytest.approx(wanted.activity, rel=1e-5)
    assert seen == [("hidden0.weight", False, False), ("readout.weight", False, False)]
