import math

import pytest
import torch

from pcmsim.config import Network
from pcmsim.networks import reference
from pcmsim.networks.unit import State, Unit, rest, spike, step, surrogate_derivative, unit_of

CURRENTS = torch.tensor([0.4, 1.3, 0.7, 0.2, 0.9], dtype=torch.float64).reshape(5, 1, 1)
ONE = torch.ones(1, dtype=torch.float64)


def test_spiking_unit_follows_a_trajectory_worked_out_by_hand():
    # s: 0.4 | 1.3 + 0.5*0.4 = 1.5, spikes | 0.7, wiped | 0.2 + 0.35 = 0.55 | 0.9 + 0.275 = 1.175
    state, seen = rest(torch.zeros(1, 1, dtype=torch.float64)), []
    for current in CURRENTS:
        state = step(state, current, ONE, Unit("snu", decay=0.5))
        seen.append((state.potential.item(), state.output.item()))
    expected = [(0.4, 0.0), (1.5, 1.0), (0.7, 0.0), (0.55, 0.0), (1.175, 1.0)]
    assert torch.allclose(torch.tensor(seen), torch.tensor(expected))


def test_soft_unit_keeps_the_share_of_its_potential_that_it_did_not_put_out():
    before = State(2.0 * ONE, 0.25 * ONE)
    after = step(before, 0.3 * ONE, 1.1 * ONE, Unit("ssnu", decay=0.8))
    assert after.potential.item() == pytest.approx(0.3 + 0.8 * 2.0 * 0.75)
    assert after.output.item() == pytest.approx(1.0 / (1.0 + math.exp(-(1.5 - 1.1))))


def test_unit_at_exactly_its_threshold_stays_silent():
    after = step(rest(torch.zeros(1, 1)), torch.ones(1, 1), torch.ones(1), Unit("snu", 0.8))
    assert after.output.item() == 0.0


def test_without_input_a_spiking_layer_is_silent_for_ever():
    y = reference.scan(torch.zeros(50, 3, 4), None, torch.ones(4), Unit("snu", decay=1.0))
    assert not y.any()


def test_without_decay_every_step_stands_alone():
    currents = torch.linspace(-2.0, 3.0, 30, dtype=torch.float64).reshape(5, 2, 3)
    threshold = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    y = reference.scan(currents, None, threshold, Unit("ssnu", decay=0.0))
    assert torch.allclose(y, torch.sigmoid(currents - threshold), rtol=1e-14)


@pytest.mark.parametrize(("activation", "expected"), [("identity", -2.0), ("relu", 0.0),
                                                      ("leaky_relu", -0.2)])  # fmt: skip
def test_activation_treats_a_negative_potential_as_its_name_says(activation, expected):
    unit = unit_of(Network(unit="snu", activation=activation))
    after = step(rest(torch.zeros(1)), torch.tensor([-2.0]), torch.ones(1), unit)
    assert after.potential.item() == pytest.approx(expected)


def test_spike_has_the_gradient_of_the_hyperbolic_tangent():
    z = torch.linspace(-3.0, 3.0, 13, dtype=torch.float64, requires_grad=True)
    spike(z).sum().backward()
    smooth = z.detach().clone().requires_grad_()
    torch.tanh(smooth).sum().backward()
    assert torch.allclose(z.grad, smooth.grad, atol=1e-15)
    assert torch.allclose(z.grad, surrogate_derivative(z.detach()))
    assert set(spike(z).tolist()) == {0.0, 1.0}
