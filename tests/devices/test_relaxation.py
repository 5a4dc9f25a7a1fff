"""Relaxation as the law says: marginal distribution, memory of each device, what it excludes."""

import numpy as np
import pytest
from scipy.stats import johnsonsu, kstest

from pcmsim.devices import conductance, load_parameter_set, manufacture, program, pulse_model
from pcmsim.devices.relaxation import deviate
from pcmsim.devices.relaxation_law import Relaxation
from pcmsim.devices.state import STUCK_SET
from pcmsim.errors import UsageError
from pcmsim.rng import stream

LAW = {
    "onset_s": 0.2,
    "floor_us": 2.0,
    "cap_us": 1e6,
    "scale": [0.3, -0.5],
    "growth": [0.5],
    "tail": [0.2, 0.1],
    "tail_growth": [0.05],
    "skew": [0.1, 0.2],
    "skew_growth": [0.1],
    "persistence": 0.8,
    "memory_s": 1e-3,
}


@pytest.fixture(scope="module")
def values():
    return _relaxing().values


def _relaxing(**changes):
    return load_parameter_set("ideal").with_values(**_without_pulses(), relaxation=LAW | changes)


def _without_pulses():
    names = ("set_pulse", "set_g_min", "set_g_max", "set_device_std", "set_nu_mean", "set_nu_std")
    return dict.fromkeys((*names, "rejuvenation", "melt_curve", "wear_shape", "wear_scale"))


def _aged(values, g_target, times_s, n=20_000, seed=0):
    state = manufacture(values, (n,), stream(seed, "make"))
    state = program(values, state, np.full(n, g_target, np.float32), 0.0, stream(seed, "write"))
    return state, [conductance(values, state, t) for t in times_s]


def test_nothing_has_changed_at_the_read_that_defines_the_conductance(values):
    state, (now,) = _aged(values, 10.0, [0.0])
    assert (now == state.g).all()


@pytest.mark.parametrize("t_s", [0.05, 10.0, 1e5])
def test_changes_far_above_the_floor_follow_the_johnson_distribution_of_scipy(values, t_s):
    _, (g,) = _aged(values, 24.0, [t_s])
    u, log = 24.0 / 25.0, np.log(np.log1p(t_s / 0.2) / np.log1p(1.0 / 0.2))
    scale, tail = np.exp(0.3 - 0.5 * u + 0.5 * log), np.exp(0.2 + 0.1 * u + 0.05 * log)
    expected = johnsonsu(0.1 + 0.2 * u + 0.1 * log, tail, loc=24.0, scale=scale)
    # At 24 µS the floor of 2 µS moves nothing by more than 1e-4; values below 8 µS are rare.
    assert kstest(g.astype(float), expected.cdf).pvalue > 1e-3


def test_no_conductance_falls_below_zero_however_low_it_starts(values):
    _, (g,) = _aged(values, 0.2, [1e6])
    assert g.min() >= 0.0
    assert g.std() > 0.1


def test_a_cap_leaves_small_changes_alone_and_holds_large_ones(values):
    free, held = (_aged(v, 24.0, [1e5])[1][0] for v in (values, _relaxing(cap_us=5.0).values))
    small = np.abs(free - 24.0) < 1.0
    assert np.allclose(free[small], held[small], atol=0.01)
    assert np.abs(held - 24.0).max() < 0.6 * np.abs(free - 24.0).max()


def test_a_device_keeps_its_path_whoever_looks_and_gets_a_new_one_when_programmed(values):
    state, (early, late) = _aged(values, 10.0, [1.0, 1e5])
    assert (conductance(values, state, 1.0) == early).all()
    again = program(values, state, np.full(20_000, 10.0, np.float32), 0.0, stream(1, "again"))
    fresh = conductance(values, again, 1e5)
    spearman = np.corrcoef(np.argsort(np.argsort(late)), np.argsort(np.argsort(fresh)))[0, 1]
    assert abs(spearman) < 5.0 / np.sqrt(20_000)


def test_deviates_are_normal_at_every_time_and_remember_as_the_law_says():
    law = Relaxation(**LAW)
    a, b = np.random.default_rng(1).standard_normal((2, 50_000), dtype=np.float32)
    times = np.array([0.01, 1.0, 100.0, 1e5])
    z = np.array([deviate(law, a, b, np.array(t)) for t in times])
    assert all(kstest(row, "norm").pvalue > 1e-3 for row in z)
    x = np.log1p(times / law.memory_s)
    found = np.corrcoef(z)[np.triu_indices(4, 1)]
    expected = (0.8 * np.minimum.outer(x, x) / np.maximum.outer(x, x))[np.triu_indices(4, 1)]
    # Four standard errors of 50,000 devices; the times lie far enough apart for E to forget.
    assert found == pytest.approx(expected, abs=0.018)


def test_times_close_to_zero_resemble_later_ones_as_a_random_walk_does():
    law = Relaxation(**LAW | {"persistence": 1.0})
    a, b = np.random.default_rng(2).standard_normal((2, 50_000), dtype=np.float32)
    for early, late, allowed in ((0.1, 9.0, 0.02), (1.0, 9.0, 0.02), (2.0, 4.0, 0.06)):
        z = [deviate(law, a, b, np.array(t * law.memory_s)) for t in (early, late)]
        expected = np.log1p(early) / np.log1p(late)
        assert np.corrcoef(z)[0, 1] == pytest.approx(expected, abs=allowed), (early, late)


def test_faulty_devices_stay_where_they_are():
    values = _relaxing().with_values(p_stuck_set=0.5).values
    state, (g,) = _aged(values, 10.0, [1e5], n=2000)
    stuck = state.fault == STUCK_SET
    assert 800 < stuck.sum() < 1200
    assert (g[stuck] == state.g[stuck]).all()


def test_devices_programmed_at_different_times_have_ages_of_their_own(values):
    state, _ = _aged(values, 10.0, [])
    mask = np.zeros(20_000, bool)
    mask[:10_000] = True
    state = program(
        values, state, np.full(20_000, 10.0, np.float32), 1000.0, stream(2, "half"), where=mask
    )
    g = conductance(values, state, 1001.0)
    assert g[:10_000].std() < 0.8 * g[10_000:].std()


def test_a_set_that_relaxes_has_no_pulses():
    with pytest.raises(UsageError, match="relaxation and set_pulse exclude each other"):
        load_parameter_set("ideal").with_values(relaxation=LAW)


def test_a_law_with_a_share_above_one_is_refused_by_name():
    with pytest.raises(UsageError, match="persistence"):
        _relaxing(persistence=1.5)


def test_pulses_on_devices_that_relax_are_refused_with_the_way_out(values):
    with pytest.raises(UsageError, match="leave pulses out"):
        pulse_model(values)
