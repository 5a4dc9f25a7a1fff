import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from pcmsim.devices import (
    apply_reset,
    apply_set,
    conductance,
    load_parameter_set,
    manufacture,
    program,
    set_moments,
)
from pcmsim.errors import UsageError
from pcmsim.rng import stream

DAY_S = 86400.0
PERFECT_YIELD = {"p_stuck_reset": 0.0, "p_stuck_set": 0.0, "p_untunable": 0.0}
DEFAULT = load_parameter_set("pcm-gst-90nm")
VALUES = DEFAULT.with_values(**PERFECT_YIELD).values
STAIRS = json.loads((Path(__file__).parents[1] / "reference" / "staircase.json").read_text())
N = 200_000


def blank(values, n=N, seed=1, dtype=np.float32):
    state = manufacture(values, (n,), stream(seed, "make"), dtype)
    return apply_reset(values, state, None, 0.0, stream(seed, "blank"))


def pulsed(values, state, n, now_s=0.0, seed=1):
    return apply_set(values, state, np.full(state.shape, n), now_s, stream(seed, "set", n))


def staircase(values, pulses, clip):
    """Conductances after 1 ... `pulses` pulses from exactly 0.1 µS, all devices alike."""
    state = blank(values)
    state = replace(state, g=np.full_like(state.g, 0.1))
    for p in range(1, pulses + 1):
        state = pulsed(values, state, 1, seed=p)
        yield p, state.g.astype(np.float64)


def test_the_staircase_of_forty_pulses_is_the_one_computed_elsewhere():
    """Mean and standard deviation from 0.1 µS within [0.1, 20] µS; N here 2e5, there 1e6."""
    alike = DEFAULT.with_values(**PERFECT_YIELD, set_device_std=0.0).values
    for p, g in staircase(alike, 40, True):
        _, mean, std, *_ = STAIRS[p - 1]
        fourth = np.mean((g - g.mean()) ** 4)
        std_error = np.sqrt(fourth - g.var() ** 2) / (2 * g.std())
        wider = np.sqrt((1 / N + 1 / 1e6) * N)
        assert abs(g.mean() - mean) < 4 * wider * g.std() / np.sqrt(N), p
        assert abs(g.std() - std) < 4 * wider * std_error / np.sqrt(N), p


@pytest.mark.parametrize(
    ("p", "mean"), [(1, 1.9246), (2, 3.2916), (3, 4.3367), (5, 5.8048), (10, 7.7590), (20, 9.3803)]
)
def test_means_recur_as_published(p, mean):
    """μ_p = (1 + m1) μ_(p-1) + c1 + A1 exp(-p/α), the same with spread and device factor off."""
    law = DEFAULT.entries["set_pulse"].value
    exact = {**law, "std_slope": 0.0, "std_offset": 0.0, "std_memory": 0.0}
    values = DEFAULT.with_values(**PERFECT_YIELD, set_device_std=0.0, set_pulse=exact).values
    state = blank(values, 2, dtype=np.float64)
    state = pulsed(values, replace(state, g=np.full(2, 0.1)), p)
    np.testing.assert_allclose(state.g, mean, atol=6e-5)
    assert STAIRS[p - 1][3] == pytest.approx(mean, abs=6e-5)


def test_without_limits_the_mean_of_the_spread_devices_recurs_as_well():
    """Negative increments are kept: the limits are out of reach and the mean is exact."""
    free = {"set_g_min": 0.0, "set_g_max": 1e9, "set_device_std": 0.0}
    law = {**DEFAULT.entries["set_pulse"].value, "std_slope": 0.0}
    values = DEFAULT.with_values(**PERFECT_YIELD, **free, set_pulse=law).values
    state = blank(values)
    before = np.full_like(state.g, 50.0)
    state = pulsed(values, replace(state, g=before), 3)
    expected = 50.0
    for p in (1, 2, 3):
        expected = (1 - 0.084) * expected + 0.88 + 1.4 * np.exp(-p / 2.6)
    assert abs(state.g.mean() - expected) < 4 * state.g.std() / np.sqrt(N)


def test_the_exponential_law_steps_by_its_own_formula():
    """μ = 0.10 + 2.72 exp(-0.25 G), σ = 0.6 μ + 0.25 + 0.065 G: 2.82 µS from zero."""
    names = ("mean_floor", "mean_gain", "mean_rate_per_us", "std_factor", "std_offset", "std_slope")
    law = dict(zip(names, (0.1, 2.72, 0.25, 0.6, 0.25, 0.065), strict=True))
    values = DEFAULT.with_values(set_pulse=law).values
    g, sets = np.array([0.0, 4.0]), np.array([0, 9])
    mean, std = set_moments(values, g, sets, np.array([1.0, 2.0]))
    first = 0.1 + 2.72 * np.exp(-1.0)
    np.testing.assert_allclose(mean, [2.82, 2 * first])
    np.testing.assert_allclose(std, [0.6 * 2.82 + 0.25, 0.6 * first + 0.25 + 0.26])


def test_a_burst_is_its_pulses_one_by_one():
    """Mean and spread after five pulses at once and one at a time; 4 √2 standard errors."""
    state = blank(VALUES)
    at_once, one_by_one = pulsed(VALUES, state, 5), state
    for p in range(5):
        one_by_one = pulsed(VALUES, one_by_one, 1, seed=10 + p)
    a, b = at_once.g.astype(np.float64), one_by_one.g.astype(np.float64)
    assert abs(a.mean() - b.mean()) < 4 * np.sqrt(2 / N) * a.std()
    assert abs(a.std() - b.std()) < 4 * a.std() / np.sqrt(N)
    np.testing.assert_array_equal(at_once.sets, one_by_one.sets)


def test_devices_differ_in_their_steps_and_go_on_differing():
    """Factor LogN(0, 0.2) on the mean: a quick device is quick again after a RESET."""
    state = blank(VALUES)
    assert abs(np.log(state.set_factor).std() - 0.2) < 4 * 0.2 / np.sqrt(2 * N)
    gains = []
    for k in range(2):
        again = pulsed(VALUES, state, 3, seed=20 + k)
        gains.append(again.g.astype(np.float64))
        state = apply_reset(VALUES, again, None, 0.0, stream(30, "again", k))
    expected = np.cov(gains[0], state.set_factor)[0, 1] * np.cov(gains[1], state.set_factor)[0, 1]
    shared = np.cov(gains)[0, 1]
    assert shared == pytest.approx(expected / state.set_factor.var(), rel=0.1)
    assert np.corrcoef(gains)[0, 1] > 20 / np.sqrt(N)


def test_counters_count():
    state = blank(VALUES, 4)
    np.testing.assert_array_equal(state.resets, 2)  # the one it was made with, and the blank's
    state = apply_set(VALUES, state, np.array([0, 1, 2, 5]), 0.0, stream(1, "a"))
    state = apply_set(VALUES, state, np.array([1, 0, 0, 2]), 1.0, stream(1, "b"))
    np.testing.assert_array_equal(state.sets, [1, 1, 2, 7])
    where = np.array([True, False, True, False])
    state = apply_reset(VALUES, state, where, 2.0, stream(1, "c"))
    np.testing.assert_array_equal(state.sets, [0, 1, 0, 7])
    np.testing.assert_array_equal(state.set_pulses, [1, 1, 2, 7])
    np.testing.assert_array_equal(state.resets, [3, 2, 3, 2])
    state = program(VALUES, state, np.full(4, 9.0), 3.0, stream(1, "d"), ~where)
    np.testing.assert_array_equal(state.sets, [0, 0, 0, 0])
    np.testing.assert_array_equal(state.resets, [3, 3, 3, 3])
    np.testing.assert_array_equal(state.set_pulses, [1, 1, 2, 7])


def test_a_device_without_a_pulse_stays_as_it_is_bit_for_bit():
    for r in (1.0, 0.5):
        values = DEFAULT.with_values(rejuvenation=r).values
        state = blank(values, 1000)
        counts = np.arange(1000) % 3
        after, still = apply_set(values, state, counts, 50.0, stream(1, "set")), counts == 0
        for field in fields(state):
            old, new = getattr(state, field.name), getattr(after, field.name)
            if isinstance(old, np.ndarray):
                np.testing.assert_array_equal(new[still], old[still], err_msg=field.name)
        for t_s in (50.0, 1e6):
            found, expected = (conductance(values, s, t_s) for s in (after, state))
            np.testing.assert_allclose(found[still], expected[still], rtol=1e-6)
        np.testing.assert_array_equal(
            after.programmed_at_s, np.where(still, 0.0, np.where(after.fault > 0, 0.0, 50.0))
        )


def test_pulses_act_on_what_drift_has_left():
    """Steps of exactly 0.5 µS on a day-old 10 µS: 10 (86420/20)^-ν + 1 after two of them."""
    ideal = load_parameter_set("ideal").with_values(nu_mean={"constant": 0.05}).values
    state = manufacture(ideal, (3,), stream(1, "make"), np.float64)
    state = program(ideal, state, np.full(3, 10.0), 0.0, stream(1, "write"))
    state = pulsed(ideal, state, 2, DAY_S)
    np.testing.assert_allclose(state.g, 10 * ((DAY_S + 20) / 20) ** -0.05 + 1.0, rtol=1e-13)
    np.testing.assert_array_equal(conductance(ideal, state, DAY_S), state.g)


def test_after_a_full_reset_pulses_rule_the_exponent_and_else_the_programming_does():
    """0.04 ± 0.01, half its variance in the device's share; a programmed device keeps its own."""
    state = pulsed(VALUES, blank(VALUES), 1)
    assert abs(state.nu.mean(dtype=np.float64) - 0.04) < 4 * 0.01 / np.sqrt(N)
    assert abs(state.nu.std(dtype=np.float64) - 0.01) < 4 * 0.01 / np.sqrt(2 * N)
    share = np.corrcoef(state.nu, state.nu_device)[0, 1] ** 2
    assert abs(share - 0.5) < 4 * 2 * np.sqrt(0.5) * 0.5 / np.sqrt(N)
    np.testing.assert_array_equal(pulsed(VALUES, state, 4).nu, state.nu)
    written = program(VALUES, state, np.full(N, 8.0, np.float32), 0.0, stream(1, "write"))
    np.testing.assert_array_equal(pulsed(VALUES, written, 4).nu, written.nu)


def test_a_reset_forgets_and_starts_the_clock():
    """Log-normal around 0.1 µS whatever was before; the exponent that of a target of zero."""
    state = program(VALUES, blank(VALUES), np.full(N, 20.0, np.float32), 0.0, stream(1, "write"))
    state = apply_reset(VALUES, state, None, DAY_S, stream(1, "reset"))
    log = np.log(state.g.astype(np.float64))
    assert abs(log.mean() - np.log(0.1)) < 4 * 0.5 / np.sqrt(N)
    assert abs(log.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * N)
    np.testing.assert_allclose(conductance(VALUES, state, DAY_S), state.g, rtol=1e-6)
    assert abs(state.nu.mean(dtype=np.float64) - 0.1) < 1e-3  # folding adds 1e-4
    assert abs(np.corrcoef(state.nu, state.nu_device)[0, 1] ** 2 - 0.5) < 0.02


def test_noise_follows_the_new_conductance():
    state = pulsed(VALUES, blank(VALUES, 500), 3)
    expected = np.minimum(0.0088 * (state.g.astype(np.float64) / 25.0) ** -0.65, 0.2)
    np.testing.assert_allclose(state.noise, expected, rtol=1e-5)


def test_the_limits_hold_pulses_and_move_nobody():
    """A device programmed to 24 µS, above set_g_max = 20, is neither pulled down nor raised."""
    still = {**DEFAULT.entries["set_pulse"].value, "mean_offset": 5.0, "std_offset": 0.0}
    still |= {"mean_slope": 0.0, "mean_memory": 0.0, "std_slope": 0.0, "std_memory": 0.0}
    values = DEFAULT.with_values(**PERFECT_YIELD, set_pulse=still, set_device_std=0.0).values
    state = blank(values, 3, dtype=np.float64)
    state = pulsed(values, replace(state, g=np.array([24.0, 18.0, 2.0])), 1)
    np.testing.assert_allclose(state.g, [24.0, 20.0, 7.0])


def test_faulty_devices_receive_pulses_and_do_not_move():
    values = DEFAULT.with_values(p_stuck_reset=0.2, p_stuck_set=0.2, p_untunable=0.2).values
    state = manufacture(values, (2000,), stream(1, "make"))
    after = pulsed(values, state, 4, 10.0)
    after = apply_reset(values, after, np.arange(2000) % 2 == 0, 20.0, stream(1, "reset"))
    faulty = state.fault > 0
    np.testing.assert_array_equal(after.set_pulses, 4)
    np.testing.assert_array_equal(after.resets[::2], state.resets[::2] + 1)
    for name in ("g", "nu", "noise", "fault", "g_fault"):
        np.testing.assert_array_equal(getattr(after, name)[faulty], getattr(state, name)[faulty])
    for t_s in (20.0, DAY_S):
        found, expected = (conductance(values, s, t_s)[faulty] for s in (after, state))
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_ideal_set_climbs_in_equal_steps_to_its_top():
    ideal = load_parameter_set("ideal").values
    state = manufacture(ideal, (3,), stream(1, "make"))
    state = apply_set(ideal, state, np.array([1, 10, 99]), 0.0, stream(1, "set"))
    np.testing.assert_allclose(conductance(ideal, state, 1e8), [0.5, 5.0, 25.0], rtol=1e-6)


def test_a_set_without_a_pulse_model_says_so_and_what_to_add():
    entries = load_parameter_set("ideal").entries
    names = ("set_pulse", "set_g_min", "set_g_max", "set_device_std", "set_nu_mean", "set_nu_std")
    names += ("rejuvenation", "melt_curve", "wear_shape", "wear_scale")
    old = replace(
        load_parameter_set("ideal"), entries={n: e for n, e in entries.items() if n not in names}
    )
    state = manufacture(old.values, (2,), stream(1, "make"))
    with pytest.raises(UsageError, match="no pulse model; add set_pulse, set_g_min"):
        apply_set(old.values, state, np.array([1, 1]), 0.0, stream(1, "set"))
    apply_reset(old.values, state, None, 0.0, stream(1, "reset"))


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.array([1.0, 2.0]), "whole numbers of shape"),
        (np.array([1, 2, 3]), "whole numbers of shape"),
        (np.array([1, -2]), "reach -2"),
        (np.array([True, False]), "whole numbers of shape"),
    ],
)
def test_counts_that_are_none_are_refused(counts, message):
    state = manufacture(VALUES, (2,), stream(1, "make"))
    with pytest.raises(UsageError, match=message):
        apply_set(VALUES, state, counts, 0.0, stream(1, "set"))


def test_a_pulse_before_the_last_write_is_refused():
    state = blank(VALUES, 2)
    state = pulsed(VALUES, state, 1, 100.0)
    with pytest.raises(UsageError, match=">= 0 s"):
        pulsed(VALUES, state, 1, 50.0)
