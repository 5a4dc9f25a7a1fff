import itertools

import numpy as np
import pytest
import torch

from pcmsim.config import Network, Training
from pcmsim.loop.optimiser import (
    adamw,
    learning_rate,
    make_optimiser,
    moments,
    restore_moments,
    set_learning_rate,
)
from pcmsim.networks import SpikingNetwork


def training(**changes):
    return Training(**{"epochs": 10, "batch_size": 1, "learning_rate": 0.2, **changes})


def network_of(seed):
    spec = Network(unit="ssnu", inputs=3, hidden=(4,), outputs=2)
    return SpikingNetwork(spec, torch.Generator().manual_seed(seed))


def step(network, optimiser, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimiser.step()


def test_a_constant_learning_rate_is_the_same_in_every_epoch():
    assert {learning_rate(training(), epoch) for epoch in range(1, 11)} == {0.2}


def test_a_cosine_starts_at_the_full_rate_has_half_of_it_midway_and_never_rises():
    rates = [learning_rate(training(schedule="cosine"), epoch) for epoch in range(1, 11)]
    assert rates[0] == 0.2
    assert rates[5] == pytest.approx(0.1)
    assert rates[3] == pytest.approx(0.2 * np.cos(0.15 * np.pi) ** 2)  # half-angle formula
    assert all(later < earlier for earlier, later in itertools.pairwise(rates))
    assert rates[-1] > 0.0


def test_two_steps_follow_the_equations_of_adam_with_decoupled_decay():
    network = network_of(1)
    before = {name: p.detach().double().numpy() for name, p in network.named_parameters()}
    before = {name: value.copy() for name, value in before.items()}
    optimiser = adamw(network, training(weight_decay=0.3))
    gradients = []
    for seed, rate in ((7, 0.2), (8, 0.05)):
        set_learning_rate(optimiser, rate)
        step(network, optimiser, seed)
        gradients.append({n: p.grad.double().numpy() for n, p in network.named_parameters()})
    for name, parameter in network.named_parameters():
        w, m, v = before[name], 0.0, 0.0
        for t, rate in ((1, 0.2), (2, 0.05)):
            g = gradients[t - 1][name]
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            ratio = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            w = w - rate * 0.3 * w - rate * ratio
        np.testing.assert_allclose(parameter.detach().numpy(), w, rtol=1e-4, atol=1e-6)


def test_restored_moments_lead_to_the_same_next_step_bit_for_bit():
    network = network_of(1)
    optimiser = adamw(network, training())
    step(network, optimiser, seed=7)
    kept = moments(network, optimiser)
    other = network_of(2)
    other.load_state_dict(network.state_dict())
    fresh = adamw(other, training())
    restore_moments(other, fresh, kept)
    step(network, optimiser, seed=8)
    step(other, fresh, seed=8)
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, other.get_parameter(name)), name


def test_kept_moments_do_not_move_with_the_optimiser():
    network = network_of(1)
    optimiser = adamw(network, training())
    step(network, optimiser, seed=7)
    kept = moments(network, optimiser)
    copies = {name: value.clone() for name, value in kept.items()}
    assert len(kept) == 3 * 4  # step and two moments of four parameters
    step(network, optimiser, seed=8)
    assert all(torch.equal(kept[name], copies[name]) for name in kept)


def follow(name, weight_decay, **changes):
    """Two steps of an optimiser: weights before and after, and the gradients."""
    network = network_of(1)
    weight = network.readout.weight
    before, gradients = weight.detach().double().clone(), []
    settings = training(optimiser=name, weight_decay=weight_decay, **changes)
    optimiser = make_optimiser(network, settings)
    for seed in (7, 8):
        step(network, optimiser, seed)
        gradients.append(weight.grad.double())
    return before, weight.detach().double(), gradients


def test_sgd_with_momentum_and_decay_follows_its_equations():
    before, after, gradients = follow("sgd", 0.3, momentum=0.6)
    w, v = before, 0.0
    for g in gradients:
        v = 0.6 * v + g + 0.3 * w
        w = w - 0.2 * v
    torch.testing.assert_close(after, w, rtol=1e-4, atol=1e-6)


def test_adam_adds_the_decay_to_the_gradient():
    before, after, gradients = follow("adam", 0.3)
    w, m, v = before, 0.0, 0.0
    for t, g in enumerate(gradients, start=1):
        g = g + 0.3 * w
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.2 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    torch.testing.assert_close(after, w, rtol=1e-4, atol=1e-6)


def test_rmsprop_divides_by_the_root_of_an_average_square():
    before, after, gradients = follow("rmsprop", 0.3)
    w, v = before, 0.0
    for g in gradients:
        g = g + 0.3 * w
        v = 0.99 * v + 0.01 * g**2
        w = w - 0.2 * g / (v.sqrt() + 1e-8)
    torch.testing.assert_close(after, w, rtol=1e-4, atol=1e-6)


def test_rmsprop_takes_the_smoothing_and_the_epsilon_it_is_given():
    before, after, gradients = follow("rmsprop", 0.0, smoothing=0.9, epsilon=0.5)
    w, v = before, 0.0
    for g in gradients:
        v = 0.9 * v + 0.1 * g**2
        w = w - 0.2 * g / (v.sqrt() + 0.5)
    torch.testing.assert_close(after, w, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["adamw", "adam"])
def test_epsilon_bounds_the_steps_of_adam(name):
    before, after, gradients = follow(name, 0.0, epsilon=1e3)
    assert 0.0 < (after - before).abs().max() < 0.4 * max(g.abs().max() for g in gradients) / 1e3


@pytest.mark.parametrize(
    ("optimiser", "key"), [("adam", "smoothing"), ("sgd", "smoothing"), ("sgd", "epsilon")]
)
def test_averages_of_another_optimiser_are_refused(optimiser, key):
    with pytest.raises(ValueError, match=f"{key} = 0.5 is for optimiser: .*rmsprop; {optimiser}"):
        training(optimiser=optimiser, **{key: 0.5})


def test_adamw_is_what_is_taken_unless_something_else_is_named():
    assert type(make_optimiser(network_of(1), training())) is torch.optim.AdamW


@pytest.mark.parametrize("name", ["adamw", "adam", "rmsprop", "sgd"])
def test_weight_decay_pulls_all_parameters_but_the_logits_of_trained_decays(name):
    spec = Network(unit="alif", inputs=3, hidden=(4,), outputs=2, readout="leaky")
    network = SpikingNetwork(spec)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(2.0)
    optimiser = make_optimiser(network, training(optimiser=name, weight_decay=0.3))
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    moved = {key for key, parameter in network.named_parameters() if (parameter != 2.0).any()}
    still = {key for key, _ in network.named_parameters()} - moved
    assert still == {"hidden0.decay_logit", "hidden0.adaptation_logit", "readout.decay_logit"}
    set_learning_rate(optimiser, 0.05)
    assert {group["lr"] for group in optimiser.param_groups} == {0.05}
