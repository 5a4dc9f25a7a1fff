import pytest
import torch

from pcmsim.config import Network
from pcmsim.errors import UsageError
from pcmsim.networks import SpikingNetwork
from pcmsim.networks.initial import glorot_uniform

SMALL = {"inputs": 4, "outputs": 3, "threshold": 0.2}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def small(unit="snu", hidden=(6, 5), recurrent=True, dtype=torch.float64):
    spec = Network(unit=unit, hidden=hidden, recurrent=recurrent, **SMALL)
    return SpikingNetwork(spec, seeded(), dtype)


def sequence(dtype=torch.float64):
    return torch.randn(7, 2, 4, generator=seeded(9), dtype=dtype) * 2.0


@pytest.mark.parametrize(("recurrent", "count"), [(False, 26_638), (True, 49_138)])
def test_chorale_network_has_as_many_parameters_as_the_published_one(recurrent, count):
    network = SpikingNetwork(Network(unit="snu", recurrent=recurrent))
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
def test_network_is_its_equations_written_out(unit):
    network, x = small(unit, hidden=(6,)), sequence()
    w, h, v = network.matrices().values()
    s, y, logits = torch.zeros(2, 6).double(), torch.zeros(2, 6).double(), []
    for x_t in x:
        s = x_t @ w + y @ h + 0.8 * s * (1.0 - y)
        z = s - network.hidden0.threshold
        y = torch.sigmoid(z) if unit == "ssnu" else (z > 0.0).double()
        logits.append(y @ v + network.readout.bias)
    assert torch.allclose(network(x), torch.stack(logits), atol=1e-12)


def test_matrices_are_named_and_turned_as_agreed():
    shapes = {name: tuple(value.shape) for name, value in small().matrices().items()}
    assert shapes == {
        "hidden0.weight": (4, 6),
        "hidden0.recurrent": (6, 6),
        "hidden1.weight": (6, 5),
        "hidden1.recurrent": (5, 5),
        "readout.weight": (5, 3),
    }


def test_rows_of_a_matrix_are_inputs_and_its_columns_outputs():
    network = small(hidden=(6,), recurrent=False, unit="ssnu")
    matrices = network.matrices()
    with torch.no_grad():
        matrices["hidden0.weight"].copy_(torch.arange(24.0).reshape(4, 6) - 20.0)
        matrices["readout.weight"].copy_(torch.arange(18.0).reshape(6, 3))
        logits = network(torch.tensor([[[0.0, 1.0, 0.0, 0.0]]], dtype=torch.float64))
    hidden = torch.sigmoid(torch.tensor([6.0, 7.0, 8.0, 9.0, 10.0, 11.0]).double() - 20.2)
    expected = hidden @ torch.arange(18.0).double().reshape(6, 3)
    assert torch.allclose(logits.flatten(), expected)


def test_matrices_are_the_weights_themselves():
    network = small()
    with torch.no_grad():
        network.matrices()["readout.weight"].zero_()
    assert torch.equal(network(sequence()), torch.zeros(7, 2, 3).double())


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
@pytest.mark.parametrize("recurrent", [False, True])
def test_products_measured_elsewhere_reproduce_the_network(unit, recurrent):
    network = small(unit, recurrent=recurrent)
    matrices, calls = network.matrices(), []

    def multiply(name, rows):
        calls.append((name, tuple(rows.shape)))
        return rows @ matrices[name]

    logits = network(sequence(), multiply)
    assert torch.allclose(logits, network(sequence()), atol=1e-12)
    expected = []
    for layer, inputs, units in ((0, 4, 6), (1, 6, 5)):
        expected.append((f"hidden{layer}.weight", (7, 2, inputs)))
        expected += [(f"hidden{layer}.recurrent", (2, units))] * (7 if recurrent else 0)
    assert calls == [*expected, ("readout.weight", (7, 2, 5))]


@pytest.mark.parametrize("wrong", ["hidden0.weight", "hidden0.recurrent", "readout.weight"])
def test_a_measured_product_of_another_shape_is_refused(wrong):
    network = small(hidden=(6,))
    matrices = network.matrices()

    def multiply(name, rows):
        product = rows @ matrices[name]
        return product[..., :-1] if name == wrong else product

    with pytest.raises(UsageError, match=rf"multiply\('{wrong}', rows\) gave .* needs"):
        network(sequence(), multiply)


def test_dropout_is_applied_to_the_sequence_of_each_hidden_layer():
    seen = []

    def drop(y):
        seen.append(tuple(y.shape))
        return torch.zeros_like(y)

    network = small("ssnu")
    with torch.no_grad():
        network.readout.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    logits = network(sequence(), dropout=drop)
    assert seen == [(7, 2, 6), (7, 2, 5)]
    assert torch.equal(logits, network.readout.bias.expand(7, 2, 3))


def test_padding_at_the_end_does_not_change_earlier_logits():
    network, x = small("ssnu"), sequence()
    padded = torch.cat([x, torch.zeros(4, 2, 4).double()])
    assert torch.allclose(network(padded)[:7], network(x), atol=1e-12)


def test_sequences_of_a_batch_do_not_see_each_other():
    network, x = small("ssnu"), sequence()
    assert torch.allclose(network(x)[:, 1:], network(x[:, 1:].contiguous()), atol=1e-12)


def test_every_parameter_of_a_spiking_network_receives_a_gradient():
    network = small()
    network(sequence()).pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0.0 for p in network.parameters())


def test_weights_start_uniform_within_the_limit_of_glorot():
    weights = glorot_uniform(300, 100, seeded(), torch.float64)
    limit = (6.0 / 400.0) ** 0.5
    assert 0.999 * limit < weights.abs().max() <= limit
    # Variance of 30,000 uniform draws: limit^2 / 3, its standard error sqrt(4 / 5 / 30000) of it.
    assert abs(weights.var() / (limit**2 / 3.0) - 1.0) < 4.0 * (0.8 / 30_000) ** 0.5


def test_thresholds_and_biases_start_as_configured():
    network = SpikingNetwork(Network(unit="snu", threshold=0.7, hidden=(5,)))
    assert torch.equal(network.hidden0.threshold, torch.full((5,), 0.7))
    assert not network.readout.bias.any()


def test_same_seed_gives_the_same_weights_and_another_seed_others():
    spec = Network(unit="snu")
    first, again, other = (SpikingNetwork(spec, seeded(seed)).readout.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_network_without_a_seed_does_not_touch_the_global_generator():
    before = torch.random.get_rng_state()
    SpikingNetwork(Network(unit="snu"))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(7, 4).double(), r"must be \(time, batch, inputs\)"),
        (torch.zeros(7, 2, 5).double(), r"hidden0: x has shape \(7, 2, 5\).*4 inputs"),
        (torch.zeros(7, 2, 4), r"hidden0: x is torch.float32 on cpu and the weights torch.float64"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(x, message):
    with pytest.raises(UsageError, match=message):
        small()(x)


def stepped(network, x, multiply=None):
    """Logits of `x` (time, batch, inputs), one step after another."""
    states, logits = network.rest(x.shape[1]), []
    for x_t in x:
        states, answer = network.step(states, x_t, multiply)
        logits.append(answer)
    return torch.stack(logits)


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("hidden", [(6,), (6, 5), (6, 5, 7)])
def test_step_by_step_a_network_is_its_scan(unit, recurrent, hidden):
    network, x = small(unit, hidden, recurrent), sequence()
    assert torch.allclose(stepped(network, x), network(x), atol=1e-12)


@pytest.mark.parametrize("recurrent", [False, True])
def test_in_single_precision_with_exact_products_steps_are_the_scan_bit_for_bit(recurrent):
    """Weights are multiples of 1/8 and units spike, so no sum of a product is rounded."""
    network = small("snu", recurrent=recurrent, dtype=torch.float32)
    with torch.no_grad():
        for matrix in network.matrices().values():
            matrix.copy_((16 * matrix).round() / 8)
    x = (torch.rand(30, 2, 4, generator=seeded(3)) < 0.5).float()
    found = stepped(network, x)
    assert torch.equal(found, network(x))
    assert len(found.unique()) > 10


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_step_takes_each_product_once_in_the_order_of_the_data(recurrent):
    network = small("ssnu", recurrent=recurrent)
    matrices, calls = network.matrices(), []

    def multiply(name, rows):
        calls.append((name, tuple(rows.shape)))
        return 0.5 * rows @ matrices[name]

    x = sequence()
    logits = stepped(network, x, multiply)
    assert torch.allclose(logits, network(x, lambda name, rows: 0.5 * rows @ matrices[name]))
    assert [name for name, _ in calls] == 7 * list(matrices)
    assert all(shape == (2, len(matrices[name])) for name, shape in calls)


def test_a_step_leaves_the_states_it_was_given_and_can_be_taken_again():
    network, x = small("ssnu"), sequence()
    states, _ = network.step(network.rest(2), x[0])
    before = [(state.potential.clone(), state.output.clone()) for state in states]
    first, second = network.step(states, x[1])[1], network.step(states, x[1])[1]
    assert torch.equal(first, second)
    for state, (potential, output) in zip(states, before, strict=True):
        assert torch.equal(state.potential, potential)
        assert torch.equal(state.output, output)


def test_gradients_pass_through_steps_as_through_the_scan():
    network, x = small("ssnu"), sequence()
    gradients = []
    for run in (lambda: stepped(network, x), lambda: network(x)):
        network.zero_grad()
        run().pow(2).sum().backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(*gradients, strict=True))


def test_a_step_refuses_sequences_other_numbers_of_states_and_other_inputs():
    network, x = small(), sequence()
    with pytest.raises(UsageError, match=r"a step takes \(batch, inputs\)"):
        network.step(network.rest(2), x)
    with pytest.raises(UsageError, match=r"there are 1 states; .* 2 states"):
        network.step(network.rest(2)[:1], x[0])
    with pytest.raises(UsageError, match=r"takes \(batch, 4 inputs\)"):
        network.step(network.rest(2), x[0, :, :3])
    with pytest.raises(UsageError, match=r"multiply\('hidden0.weight', rows\) gave"):
        network.step(network.rest(2), x[0], lambda name, rows: rows)


ALL_UNITS = ["snu", "ssnu", "li_snu", "asnu", "lif", "alif"]
READOUTS = ["dense", "spiking", "leaky"]


def network_of(unit, readout="dense", recurrent=True, **settings):
    spec = Network(
        unit=unit, hidden=(6, 5), recurrent=recurrent, readout=readout, **(SMALL | settings)
    )
    return SpikingNetwork(spec, seeded(), torch.float64)


def lively(unit, readout):
    """Decays and thresholds with which all layers spike within a few steps."""
    return network_of(unit, readout, trained_decay=True, decay=0.3, threshold=0.05)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("unit", ALL_UNITS)
def test_step_by_step_every_unit_and_readout_is_its_scan(unit, readout):
    network, x = lively(unit, readout), 3.0 * sequence()
    y = network(x)
    assert y.shape == (7, 2, 3)
    assert y.abs().max() > 0.0
    assert torch.allclose(stepped(network, x), y, atol=1e-12)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("unit", ALL_UNITS)
def test_every_parameter_of_every_unit_and_readout_receives_a_gradient(unit, readout):
    network, x = lively(unit, readout), 3.0 * sequence()
    (network(x) * torch.randn(7, 2, 3, generator=seeded(2), dtype=torch.float64)).sum().backward()
    for name, parameter in network.named_parameters():
        # Here some unit of li_snu spikes at every step, after which no decay matters.
        if (unit, name) != ("li_snu", "hidden0.decay_logit"):
            assert parameter.grad.abs().max() > 0.0, name


@pytest.mark.parametrize("readout", READOUTS)
def test_matrices_keep_their_names_and_decays_are_none_of_them(readout):
    network = network_of("alif", readout)
    assert list(network.matrices()) == list(network_of("snu").matrices())
    digital = {name.partition(".")[2] for name, p in network.named_parameters() if p.ndim == 1}
    assert {"threshold", "decay_logit", "adaptation_logit"} <= digital


def test_a_spiking_readout_spikes_without_recurrent_connections_or_lateral_inhibition():
    network = network_of("li_snu", "spiking")
    assert network.readout.unit.kind == "snu"
    assert network.readout.recurrent is None
    assert set(network(sequence()).unique().tolist()) == {0.0, 1.0}


def test_a_leaky_readout_leaks_the_logits_of_the_dense_one():
    leaky, plain = network_of("lif", "leaky"), network_of("lif")
    expected, o = [], torch.zeros(2, 3).double()
    for logits in plain(sequence()):
        o = 0.9 * o + 0.1 * logits
        expected.append(o)
    assert torch.allclose(leaky(sequence()), torch.stack(expected), atol=1e-12)


def test_decays_start_where_the_configuration_says():
    layer = network_of("lif", decay=0.7).hidden0
    assert torch.allclose(layer.decays().membrane, torch.full((6,), 0.7).double())
    spec = Network(unit="lif", hidden=(2000,), time_constants=(5.0, 50.0))
    decays = SpikingNetwork(spec, seeded(), torch.float64).hidden0.decays().membrane
    taus = -1.0 / decays.log()
    assert 5.0 <= taus.min() < 5.2
    assert 49.8 < taus.max() <= 50.0
    # Mean of 2000 uniform draws, standard error 45 / sqrt(12 * 2000) = 0.29.
    assert abs(taus.mean() - 27.5) < 4 * 0.29


@pytest.mark.parametrize("unit", ["snu", "ssnu", "li_snu", "asnu"])
def test_units_with_a_fixed_decay_have_no_parameter_for_it(unit):
    names = [name for name, _ in network_of(unit).named_parameters()]
    assert not [name for name in names if "logit" in name]
