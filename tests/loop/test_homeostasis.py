from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from pcmsim.config import ActivityBounds, Bptt, Data, Eprop, Network, Training
from pcmsim.datasets import Batch, load
from pcmsim.energy import hidden_outputs
from pcmsim.errors import UsageError
from pcmsim.loop import evaluate, fit, judging
from pcmsim.loop.dropout import dropout
from pcmsim.loop.homeostasis import Homeostat, penalty
from pcmsim.loop.learners import make_learner
from pcmsim.networks import SpikingNetwork

BOTH = ActivityBounds(lower=0.3, lower_strength=40.0, upper=0.35, upper_strength=70.0)
SLACK = ActivityBounds(lower=1e-9, upper=0.999)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def batch_of():
    """Two sequences of 6 and 4 steps, of which the padding is not to be seen."""
    rng = np.random.default_rng(4)
    mask = np.ones((6, 2), bool)
    mask[4:, 1] = False
    x = rng.random((6, 2, 5)).astype(np.float32)
    return Batch(x, rng.integers(0, 3, (6, 2)), mask, "step_class")


def network_of(unit="ssnu"):
    spec = Network(unit=unit, inputs=5, hidden=(7, 4), outputs=3, threshold=0.5)
    return SpikingNetwork(spec, seeded(2), torch.float64)


def learnt(network, batch, bounds, drop=None):
    learner = make_learner(Bptt(), network, 0, bounds)
    (loss,) = learner(network, batch, drop, nullcontext)
    return loss, {name: p.grad.clone() for name, p in network.named_parameters()}


def by_hand(outputs, mask, bounds):
    """The penalty unit by unit and step by step."""
    steps, size, units = outputs.shape
    rates = []
    for j in range(units):
        seen = [outputs[t, b, j] for t in range(steps) for b in range(size) if mask[t, b]]
        rates.append(sum(seen) / len(seen))
    total = 0.0
    for rate in rates:
        if rate < bounds.lower:
            total = total + bounds.lower_strength * (bounds.lower - rate) ** 2 / units
    mean = sum(rates) / units
    if mean > bounds.upper:
        total = total + bounds.upper_strength * (mean - bounds.upper) ** 2
    return total


def test_the_penalty_is_its_formula_and_padding_is_not_seen():
    mask = torch.from_numpy(batch_of().mask)
    outputs = torch.rand(6, 2, 8, generator=seeded(1), dtype=torch.float64)
    outputs[:, :, :3] *= 0.2
    found = penalty(outputs, mask, BOTH).item()
    assert found == pytest.approx(by_hand(outputs, mask, BOTH).item(), rel=1e-12)
    outputs[~mask] = 1e9
    assert penalty(outputs, mask, BOTH).item() == found


def test_sequences_without_a_target_have_no_penalty_and_move_nothing():
    outputs = torch.rand(6, 2, 8, requires_grad=True)
    found = penalty(outputs, torch.zeros(6, 2, dtype=torch.bool), BOTH)
    assert found.item() == 0.0


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
def test_the_gradient_is_that_of_the_loss_and_a_penalty_for_each_judged_step(unit):
    network, batch = network_of(unit), batch_of()
    loss, found = learnt(network, batch, BOTH)
    seen, mask = [], torch.from_numpy(batch.mask)
    x = torch.from_numpy(batch.inputs).double()
    outputs = network(x, dropout=lambda y: seen.append(y) or y)
    data_loss = judging.loss(network, outputs, batch).sum()
    extra = sum(by_hand(y, mask, BOTH) for y in seen)
    network.zero_grad()
    (data_loss + 10 * extra).backward()
    assert extra.item() > 0.2
    assert loss == pytest.approx(data_loss.item(), rel=1e-12)
    for name, parameter in network.named_parameters():
        assert torch.allclose(found[name], parameter.grad, atol=1e-10), name


def test_bounds_that_are_kept_change_no_bit():
    network, batch = network_of(), batch_of()
    loss, without = learnt(network, batch, None)
    again, within = learnt(network, batch, SLACK)
    assert loss == again
    assert all(torch.equal(without[name], within[name]) for name in without)


def test_the_penalty_is_of_what_units_send_before_any_of_it_is_dropped():
    mask = torch.ones(4, 3, dtype=torch.bool)
    outputs = torch.rand(4, 3, 6, generator=seeded(1))
    homeostat = Homeostat(BOTH, mask, dropout(0.5, seeded(3)))
    assert torch.equal(homeostat(outputs), dropout(0.5, seeded(3))(outputs))
    assert torch.equal(homeostat.total(), penalty(outputs, mask, BOTH))


@pytest.fixture(scope="module")
def digits():
    whole = load(Data(name="digits"), seed=0)
    return replace(whole, train=whole.train.first(300), valid=whole.test.first(60))


def trained_on(digits, bounds, threshold=1.0, rate=0.01):
    spec = Network(unit="snu", inputs=64, hidden=(30,), outputs=10, threshold=threshold)
    network = SpikingNetwork(spec, seeded(5))
    settings = {"epochs": 6, "batch_size": 20, "schedule": "cosine"}
    training = Training(learning_rate=rate, activity=bounds, **settings)
    fit(network, digits, training, seed=0)
    return network


def rates_of(network, digits):
    x = torch.from_numpy(digits.train.batch(range(300)).inputs).float()
    return hidden_outputs(network, x)[0].mean((0, 1))


def test_busy_units_come_down_to_the_upper_bound_and_still_know_digits(digits):
    free = trained_on(digits, None)
    held = trained_on(digits, ActivityBounds(upper=0.05, upper_strength=1e3))
    assert rates_of(free, digits).mean() > 0.1
    assert rates_of(held, digits).mean() == pytest.approx(0.05, rel=0.1)
    assert evaluate(held, digits.valid).per_step < 0.5


@pytest.mark.slow
def test_silent_units_come_up_to_the_lower_bound(digits):
    free = trained_on(digits, None, threshold=4.5, rate=0.02)
    bounds = ActivityBounds(lower=0.05, lower_strength=1e3)
    held = trained_on(digits, bounds, threshold=4.5, rate=0.02)
    assert rates_of(free, digits).min() < 0.01
    assert rates_of(held, digits).min() > 0.045


def test_rules_without_the_whole_sequence_refuse_bounds():
    with pytest.raises(UsageError, match="learning rule eprop knows no bounds of activity"):
        make_learner(Eprop(rule="eprop"), network_of(), 0, BOTH)
