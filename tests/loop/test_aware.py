import numpy as np
import pytest
import torch

from pcmsim.config import Aware, Network, Training
from pcmsim.devices import load_parameter_set
from pcmsim.loop import Disturbance, one_thread
from pcmsim.loop.aware import drawn_conductance, drawn_weight, hold
from pcmsim.networks import SpikingNetwork

VALUES = load_parameter_set("pcm-gst-90nm").values
IDEAL = load_parameter_set("ideal").values
DAYS = 4 * 86400.0
N = 100_000


@pytest.fixture(autouse=True)
def _quiet():
    with one_thread():
        yield


def rng(seed=1):
    return np.random.default_rng(seed)


# Mean and standard deviation [µS] of one read with accumulated 1/f noise, by exact quadrature of
# the published laws (ICECS 2019), independent of this code.
MOMENTS = {
    (0.25, 0.0): (0.2824, 0.2923),
    (0.25, DAYS): (0.1224, 0.1552),
    (1.0, 0.0): (1.0005, 0.4498),
    (1.0, DAYS): (0.5095, 0.3141),
    (2.5, 0.0): (2.5000, 0.6078),
    (2.5, 3600.0): (1.8414, 0.5273),
    (2.5, DAYS): (1.4245, 0.5084),
    (5.0, 0.0): (5.0000, 0.8036),
    (5.0, DAYS): (3.1191, 0.7110),
    (10.0, 0.0): (10.0000, 1.0901),
    (10.0, 86400.0): (6.6501, 0.9063),
    (10.0, DAYS): (6.2185, 0.8918),
    (20.0, 0.0): (20.0000, 1.3788),
    (20.0, DAYS): (12.4369, 1.3572),
    (25.0, 0.0): (25.0000, 1.4003),
    (25.0, DAYS): (15.5461, 1.5568),
}


@pytest.mark.parametrize(("g", "t_s"), list(MOMENTS))
def test_drawn_devices_have_the_moments_of_the_published_laws(g, t_s):
    mean, std = MOMENTS[g, t_s]
    drawn = drawn_conductance(VALUES, np.full(N, g, dtype=np.float32), t_s, rng()).astype("f8")
    assert drawn.min() >= 0.0
    kurtosis = ((drawn - drawn.mean()) ** 4).mean() / drawn.var() ** 2
    table = 6e-4
    z_mean = (drawn.mean() - mean) / np.hypot(std / np.sqrt(N), table)
    z_std = (drawn.std() - std) / np.hypot(std * np.sqrt((kurtosis - 1) / (4 * N)), table)
    assert abs(z_mean) < 4.0
    assert abs(z_std) < 4.0


def test_every_device_is_drawn_for_itself():
    g = np.array([[5.0, 10.0], [15.0, 20.0]], dtype=np.float32)
    drawn = np.array([drawn_conductance(VALUES, g, 100.0, r).ravel() for r in rng().spawn(3000)])
    off = np.corrcoef(drawn.T)[~np.eye(4, dtype=bool)]
    assert np.abs(off).max() < 4.0 / np.sqrt(3000)


def weight_matrix(rows=60, columns=40, seed=2):
    scales = np.linspace(0.01, 2.0, columns)
    return (rng(seed).standard_normal((rows, columns)) * scales).astype(np.float32)


def test_ideal_devices_show_the_weights_themselves():
    weight = weight_matrix()
    weight[3], weight[:, 5] = 0.0, 0.0
    found = drawn_weight(IDEAL, weight, DAYS, 0.0, rng())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, weight, rtol=1e-5, atol=1e-7)


def test_drawn_weights_are_compensated_and_keep_their_signs():
    weight = weight_matrix()
    relative = weight / np.abs(weight).max(axis=0)
    for t_s in (1.0, DAYS):
        found = drawn_weight(VALUES, weight, t_s, 0.0, rng()) / np.abs(weight).max(axis=0)
        assert np.all(found * relative >= 0.0)
        # The share of all conductance that 2400 devices show is known to about 0.2 %.
        assert np.abs(found).sum() / np.abs(relative).sum() == pytest.approx(1.0, abs=1e-4)
        slope = (found * relative).sum() / (relative**2).sum()
        assert slope == pytest.approx(1.0, abs=0.03)
        assert 0.02 < (found - relative).std() < 0.06


def test_weights_of_zero_do_not_count_in_the_compensation():
    weight = weight_matrix(200, 100)
    weight[rng().random(weight.shape) < 0.9] = 0.0
    found = drawn_weight(VALUES, weight, DAYS, 0.0, rng())
    relative = np.abs(weight).max(axis=0)
    assert np.abs(found / relative).sum() == pytest.approx(
        np.abs(weight / relative).sum(), rel=0.01
    )


def test_a_column_is_as_sure_as_its_own_range():
    weight = weight_matrix()
    error = drawn_weight(VALUES, weight, 1.0, 0.0, rng()) - weight
    relative = error.std(axis=0) / np.abs(weight).max(axis=0)
    assert relative.max() / relative.min() < 2.0


def test_the_share_of_broken_devices_is_that_of_the_set_times_faults():
    weight, shares = weight_matrix(400, 300), []
    p = IDEAL.p_stuck_set + VALUES.p_stuck_reset + VALUES.p_stuck_set + VALUES.p_untunable
    for faults in (0.0, 0.5, 1.0):
        sound = drawn_weight(VALUES, weight, 1.0, 0.0, rng(3))
        found = drawn_weight(VALUES, weight, 1.0, faults, rng(3))
        shares.append(float((found != sound).mean()))
    n = weight.size
    assert shares[0] == 0.0
    for share, faults in zip(shares[1:], (0.5, 1.0), strict=True):
        expected = 2 * faults * p  # either device of the pair
        assert share == pytest.approx(expected, abs=4 * np.sqrt(expected / n) + expected**2)


def test_broken_devices_show_what_their_fault_shows():
    weight = np.zeros((500, 400), dtype=np.float32)
    weight[0] = 1.0  # a scale of 1/25 per uS
    g = drawn_weight(VALUES, weight, 1.0, 1.0, rng(4))[1:] * 25.0
    size = np.abs(g[g != 0.0])
    p = np.array([VALUES.p_stuck_reset, VALUES.p_stuck_set, VALUES.p_untunable])
    p /= p.sum()
    in_reset, in_set = np.mean(size < 0.6), np.mean(size > 25.0)
    untunable_low, error = p[2] * 0.6 / 25.0, 4 * np.sqrt(0.25 / size.size)
    assert in_reset == pytest.approx(p[0] + untunable_low, abs=error)
    # N(1.1, 0.1) g_max is above g_max in 84 % of all cases.
    assert in_set == pytest.approx(0.841 * p[1], abs=error)
    assert np.mean(g > 0) / np.mean(g != 0) == pytest.approx(0.5, abs=error)


def test_held_weights_are_clipped_at_the_root_mean_squares_of_their_column():
    weight = torch.from_numpy(weight_matrix())
    before = weight.clone()
    before_rms = before.square().mean(0).sqrt()
    hold(weight, 1.5)
    inside = before.abs() <= 1.5 * before_rms
    assert torch.equal(weight[inside], before[inside])
    bound = (1.5 * before_rms).expand_as(weight)
    torch.testing.assert_close(weight[~inside], (bound * before.sign())[~inside])
    assert 0.05 < (~inside).float().mean() < 0.2


def test_weights_within_their_bounds_are_left_alone_and_zeros_stay_zeros():
    weight = torch.from_numpy(weight_matrix())
    weight[:, 3] = 0.0
    before = weight.clone()
    hold(weight, 10.0)
    assert torch.equal(weight, before)


# --- on a network --------------------------------------------------------------------------------


def aware(**changes):
    values = {"epochs": 1, "batch_size": 1, "learning_rate": 0.1}
    return Aware(training=Training(**values, dropout=0.0, schedule="constant"), **changes)


def network():
    spec = Network(unit="ssnu", hidden=(9,), recurrent=True)
    return SpikingNetwork(spec, torch.Generator().manual_seed(2))


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first | second)


def disturbance(values=VALUES, seed=5, **changes):
    return Disturbance(values, aware(**changes), seed)


def test_matrices_are_disturbed_inside_the_block_only():
    model = network()
    before = state(model)
    with disturbance().drawn(model, 1, 0):
        inside = state(model)
    matrices = {id(w) for w in model.matrices().values()}
    for name, parameter in model.named_parameters():
        assert torch.equal(inside[name], before[name]) == (id(parameter) not in matrices)
    assert same(state(model), before)


def test_weights_are_restored_after_an_exception():
    model = network()
    before = state(model)
    with pytest.raises(RuntimeError, match="in the middle"), disturbance().drawn(model, 1, 0):
        raise RuntimeError("in the middle")
    assert same(state(model), before)


def test_every_address_has_devices_of_its_own_and_always_the_same():
    model, found = network(), []
    for seed, address in ((5, (1, 0)), (5, (1, 0)), (5, (1, 1)), (5, (2, 0)), (6, (1, 0))):
        with disturbance(seed=seed).drawn(model, *address):
            found.append(state(model))
    assert same(found[0], found[1])
    assert not any(same(found[0], other) for other in found[2:])


def test_ages_are_drawn_up_to_the_longest_and_log_uniformly(monkeypatch):
    ages = []

    def look(values, weight, t_s, *_):
        ages.append(t_s)
        return weight

    monkeypatch.setattr("pcmsim.loop.aware.drawn_weight", look)
    model, n = network(), 400
    for number in range(n):
        with disturbance(longest_s=1e4).drawn(model, number):
            pass
    ages = np.log(ages[:: len(model.matrices())]) / np.log(1e4)
    assert ages.min() > 0.0
    assert ages.max() < 1.0
    error = 1.0 / np.sqrt(12 * n)
    assert abs(ages.mean() - 0.5) < 4 * error
    assert ages.std() == pytest.approx(np.sqrt(1 / 12), rel=0.1)


def test_the_gradient_is_that_at_the_disturbed_weights_for_the_undisturbed_ones():
    model, x = network(), (torch.rand(5, 2, 88, generator=torch.Generator()) < 0.1).float()
    with disturbance().drawn(model, 1, 0):
        model(x).square().sum().backward()
        shown = state(model)
    found = {name: p.grad.clone() for name, p in model.named_parameters()}
    twin = network()
    twin.load_state_dict(shown)
    twin(x).square().sum().backward()
    assert same(found, {name: p.grad for name, p in twin.named_parameters()})


def test_a_shared_table_is_looked_up_undisturbed_and_learns_from_both_its_uses():
    spec = Network(unit="ssnu", inputs=7, hidden=(4,), outputs=7, embedding=4, tied=True)
    model = SpikingNetwork(spec, torch.Generator().manual_seed(2))
    words, clean = torch.tensor([[3, 1], [2, 0]]), model.readout.weight.detach().clone()
    with disturbance().drawn(model, 1, 0):
        torch.testing.assert_close(model.embedded(words), clean.T[words], rtol=0, atol=1e-7)
        matrix = model.readout.weight.detach().clone().requires_grad_()
        table = clean.T.clone().requires_grad_()
        (model.hidden0(table[words]) @ matrix).square().sum().backward()
        model.zero_grad()
        model(words).square().sum().backward()
    assert (matrix - clean).abs().max() > 1e-3
    torch.testing.assert_close(model.readout.weight.grad, table.grad.T + matrix.grad)
    torch.testing.assert_close(model.embedded(words), clean.T[words], rtol=0, atol=0)


def test_each_matrix_is_held_by_its_own_bound_and_later_ones_by_the_last():
    model = network()
    before = {name: w.detach().clone() for name, w in model.matrices().items()}
    disturbance(clip_rms=(1.2, 0.8)).hold(model)
    for bound, (name, weight) in zip((1.2, 0.8, 0.8), model.matrices().items(), strict=True):
        largest = bound * before[name].square().mean(0).sqrt()
        wanted = torch.maximum(torch.minimum(before[name], largest), -largest)
        torch.testing.assert_close(weight.detach(), wanted)
