import math

import pytest
import torch

from pcmsim.config import Fluctuation, Network
from pcmsim.errors import UsageError
from pcmsim.networks import SpikingNetwork, fluctuate
from pcmsim.networks.fluctuation import mean_square_trace

INPUTS, UNITS, STEPS, BATCH = 120, 300, 60, 6
INTEGRATING = ("lif", "alif")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def network_of(unit="snu", seed=0, **changes):
    values = {"inputs": INPUTS, "hidden": (UNITS,), "outputs": 5, "threshold": 0.7} | changes
    return SpikingNetwork(Network(unit=unit, **values), seeded(seed))


def spikes(rate, seed=1, steps=STEPS, batch=BATCH, inputs=INPUTS):
    return (torch.rand(steps, batch, inputs, generator=seeded(seed)) < rate).float()


def everywhere(x):
    return torch.ones(x.shape[:2], dtype=torch.bool)


def initialised(network, x, **settings):
    fluctuate(network, x, everywhere(x), Fluctuation(**settings))
    return network


def free_potentials(currents, decay, integrating):
    """Potentials (time, batch, units) of units that never spike, step by step."""
    s, course = torch.zeros_like(currents[0]), []
    for current in currents:
        s = decay * s + current * (1.0 - decay if integrating else 1.0)
        course.append(s)
    return torch.stack(course)


def rms_and_error(potentials):
    """Root mean square over units, steps and sequences, and its standard error over units."""
    squares = potentials.double().square().mean((0, 1))
    mean = squares.mean().sqrt().item()
    return mean, (squares.std() / len(squares) ** 0.5).item() / (2.0 * mean)


def test_spikes_without_correlations_have_the_mean_square_trace_of_their_rates():
    decay, rates = 0.8, torch.linspace(0.0, 0.3, 40)
    x = spikes(rates, steps=300, batch=20, inputs=40)
    law = (rates * (1 - rates) / (1 - decay**2) + (rates / (1 - decay)) ** 2).sum().item()
    late = everywhere(x)
    late[:40] = False  # the trace has forgotten that it began at zero
    each = torch.tensor([mean_square_trace(x[:, [k]], late[:, [k]], decay) for k in range(20)])
    assert abs(each.mean().item() - law) < 4.0 * (each.std() / 20**0.5).item()
    assert (each.std() / 20**0.5).item() < 0.02 * law


def test_steps_that_do_not_count_leave_the_measure_alone_but_are_passed_through():
    x = torch.tensor([2.0, 1.0, 5.0, 7.0]).reshape(4, 1, 1)
    mask = torch.tensor([False, True, True, False]).reshape(4, 1)
    assert mean_square_trace(x, mask, 0.5) == (2.0**2 + 6.0**2) / 2


@pytest.mark.parametrize("unit", ["snu", "li_snu", "asnu", "lif", "alif"])
@pytest.mark.parametrize("xi", [1.0, 3.0])
def test_potentials_without_spikes_are_as_wide_as_threshold_over_xi(unit, xi):
    network = initialised(network_of(unit, decay=0.8), spikes(0.05), xi=xi)
    layer, fresh = network.hidden0, spikes(0.05, seed=2)
    potentials = free_potentials(fresh @ layer.weight, 0.8, unit in INTEGRATING)
    found, error = rms_and_error(potentials)
    assert error < 0.05 * 0.7 / xi
    assert abs(found - 0.7 / xi) < 4.0 * error


@pytest.mark.parametrize("unit", ["snu", "alif"])
def test_units_with_decays_of_their_own_have_the_same_spread(unit):
    constants = {"trained_decay": True, "time_constants": (2.0, 30.0), "hidden": (100,)}
    network = initialised(network_of(unit, **constants), spikes(0.05), xi=2.0)
    layer = network.hidden0
    decays = layer.decays().membrane.detach()
    currents = spikes(0.05, seed=2) @ layer.weight
    potentials = free_potentials(currents, decays, unit in INTEGRATING)
    fast = decays < decays.median()
    for half in (fast, ~fast):
        found, error = rms_and_error(potentials[..., half])
        assert abs(found - 0.35) < 4.0 * error
        assert error < 0.05


def test_graded_inputs_have_the_same_law():
    x = torch.randn(STEPS, BATCH, INPUTS, generator=seeded(3)) * 2.0 + 0.5
    network = initialised(network_of("lif", decay=0.9), x, xi=1.5)
    fresh = torch.randn(x.shape, generator=seeded(4)) * 2.0 + 0.5
    found, error = rms_and_error(free_potentials(fresh @ network.hidden0.weight, 0.9, True))
    assert abs(found - 0.7 / 1.5) < 4.0 * error


@pytest.mark.parametrize("unit", ["snu", "alif"])
def test_recurrent_connections_bring_their_share_of_the_mean_square(unit):
    network = network_of(unit, recurrent=True, decay=0.8)
    initialised(network, spikes(0.05), xi=1.5, recurrent_share=0.25)
    layer, x = network.hidden0, spikes(0.05, seed=2)
    sent = layer(x).detach()
    returned = torch.cat([torch.zeros_like(sent[:1]), sent[:-1]])
    wanted = (0.7 / 1.5) ** 2
    for share, rows, weight in ((0.75, x, layer.weight), (0.25, returned, layer.recurrent)):
        potentials = free_potentials(rows @ weight, 0.8, unit in INTEGRATING)
        found, error = rms_and_error(potentials)
        # Units were measured without what they send to each other, which moves their rates a bit.
        assert found**2 == pytest.approx(share * wanted, abs=8.0 * found * error, rel=0.1)


def test_every_layer_of_a_deep_network_spikes_where_uniform_weights_are_silent():
    sizes = {"hidden": (150, 150, 150), "threshold": 1.0, "readout": "spiking"}
    before, x = network_of("snu", **sizes), spikes(0.01)
    assert rates(before, x)[2] == 0.0
    found = rates(initialised(before, x, xi=1.0), spikes(0.01, seed=2))
    assert all(0.01 < rate < 0.3 for rate in found)
    assert before(x).mean() > 0.01


def rates(network, x):
    seen = []
    with torch.no_grad():
        network(x, dropout=lambda y: seen.append(y.mean().item()) or y)
    return seen


@pytest.mark.slow
def test_a_deep_network_learns_where_uniform_weights_pass_no_gradient_on():
    labels = torch.arange(20) % 2
    prototypes = (torch.rand(2, INPUTS, generator=seeded(5)) < 0.1).float() * 0.04
    x = spikes(prototypes[labels], batch=20, steps=40)
    errors = {}
    for name in ("glorot", "fluctuation"):
        spec = {"hidden": (60, 60, 60), "outputs": 2, "threshold": 1.0}
        network = network_of("snu", surrogate={"name": "boxcar", "width": 0.3}, **spec)
        if name == "fluctuation":
            initialised(network, x, xi=1.0)
        optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
        for _ in range(30):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(x).mean(0), labels)
            loss.backward()
            optimiser.step()
        errors[name] = loss.item()
    assert errors["glorot"] > 0.69  # log 2: as good as no inputs
    assert errors["fluctuation"] < 0.3


def test_the_same_seed_gives_the_same_weights_and_the_readout_of_logits_stays():
    first, again = (initialised(network_of(), spikes(0.05), xi=2.0) for _ in range(2))
    drawn, other = network_of(), initialised(network_of(seed=1), spikes(0.05), xi=2.0)
    assert torch.equal(first.hidden0.weight, again.hidden0.weight)
    assert not torch.equal(first.hidden0.weight, other.hidden0.weight)
    assert torch.equal(first.readout.weight, drawn.readout.weight)
    ratio = first.hidden0.weight / drawn.hidden0.weight
    assert math.isclose(ratio.min().item(), ratio.max().item(), rel_tol=1e-5)


def test_a_layer_that_receives_nothing_is_refused():
    with pytest.raises(UsageError, match=r"the input sends nothing to hidden0"):
        initialised(network_of(), torch.zeros(STEPS, BATCH, INPUTS))
    deep = network_of(hidden=(20, 20))
    with pytest.raises(UsageError, match=r"hidden0 sends nothing to hidden1.*lower network.initia"):
        initialised(deep, spikes(0.05), xi=50.0)


def test_potentials_of_a_convolution_reach_the_wanted_spread_over_all_pixels():
    convolution = {"channels": 60, "kernel": 5, "stride": 2, "padding": 2}
    network = network_of(inputs=100, image=(1, 10, 10), convolutions=(convolution,), hidden=(20,))
    x = spikes(0.2, inputs=100)
    initialised(network, x, xi=2.0)
    currents = network.seen("conv0", x) @ network.conv0.weight.detach()
    reached, error = rms_and_error(free_potentials(currents, 0.8, integrating=False))
    assert abs(reached - 0.7 / 2.0) < 4.0 * error


def test_what_stands_in_padded_steps_moves_no_weight_of_a_convolution():
    convolution = {"channels": 6, "kernel": 3, "stride": 2, "pool": 2}
    x = spikes(0.2, inputs=100)[:40].clone()
    mask = torch.ones(x.shape[:2], dtype=torch.bool)
    mask[15:, 0] = False
    found = []
    for padding in (0.0, 1.0):
        x[15:, 0] = padding
        network = network_of(
            inputs=100, image=(1, 10, 10), convolutions=(convolution,), hidden=(20,)
        )
        fluctuate(network, x, mask, Fluctuation(xi=2.0))
        found.append(network.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
