import numpy as np
import pytest

from pcmsim.devices import (
    apply_reset,
    apply_set,
    composed,
    conductance,
    drifted,
    load_parameter_set,
    manufacture,
    program,
)
from pcmsim.errors import UsageError
from pcmsim.rng import stream

# One device at 5 µS with ν = 0.05, and steps of exactly 1 µS; ages count from the last pulse.
STEP = {"mean_slope": 0.0, "mean_offset": 1.0, "mean_memory": 0.0, "memory_pulses": 1.0}
STEP |= {"std_slope": 0.0, "std_offset": 0.0, "std_memory": 0.0}
PLAIN = load_parameter_set("ideal").with_values(
    time_origin="last_pulse", nu_mean={"constant": 0.05}, set_nu_mean=0.05, set_pulse=STEP
)
G, NU, ONE = np.array([5.0]), np.array([0.05]), np.array([1.0])
SHORT_S, LONG_S = 1e5 + 20.0, 2e5


def device(values, g=5.0):
    state = manufacture(values, (1,), stream(1, "make"), np.float64)
    return program(values, state, np.array([g]), 0.0, stream(1, "write"))


def pulsed(values, state, now_s, n=1):
    return apply_set(values, state, np.array([n]), now_s, stream(1, "set"))


@pytest.mark.parametrize(
    ("composition", "short", "long"),
    [("undone", 6.0000, 3.9192), ("kept", 4.2660, 4.1207), ("fresh", 4.2660, 2.7866)],
)
def test_a_pulse_after_1e5_s_composes_with_drift_as_tabulated(composition, short, long):
    """ν = 0.05, t0 = 20 s, 5 µS, +1 µS at 1e5 s; read 20 s later and at 2e5 s."""
    for age, expected in ((SHORT_S, short), (LONG_S, long)):
        found = composed(composition, G, NU, ONE, 1e5, age, 20.0)
        np.testing.assert_allclose(found, expected, atol=6e-5)


def test_without_a_pulse_drift_is_as_tabulated():
    np.testing.assert_allclose(drifted(G, NU, SHORT_S, 20.0), 3.2660, atol=6e-5)
    np.testing.assert_allclose(drifted(G, NU, LONG_S, 20.0), 3.1548, atol=6e-5)


@pytest.mark.parametrize(("r", "short", "long"), [(1.0, 4.2660, 2.7866), (0.0, 4.2660, 4.1207)])
def test_a_device_under_a_pulse_shows_the_tabulated_conductances(r, short, long):
    values = PLAIN.with_values(rejuvenation=r).values
    state = pulsed(values, device(values), 1e5)
    np.testing.assert_allclose(conductance(values, state, SHORT_S), short, atol=6e-5)
    np.testing.assert_allclose(conductance(values, state, LONG_S), long, atol=6e-5)


@pytest.mark.parametrize("r", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("later_s", [20.0, 1e4, 1e7])
def test_one_pulse_is_the_blend_formula_exactly(r, later_s):
    """(G_d + ΔG) [r (Δ/t0)^-ν + (1-r) (t'/t)^-ν], written out here once more."""
    values = PLAIN.with_values(rejuvenation=r).values
    state = pulsed(values, device(values), 1e5)
    after = 5.0 * (1e5 / 20.0) ** -0.05 + 1.0
    expected = after * (r * (later_s / 20) ** -0.05 + (1 - r) * (1 + later_s / 1e5) ** -0.05)
    np.testing.assert_allclose(conductance(values, state, 1e5 + later_s), expected, rtol=1e-13)
    pure = composed("blend", G, NU, ONE, 1e5, 1e5 + later_s, 20.0, r)
    np.testing.assert_allclose(pure, expected, rtol=1e-13)


def test_a_clock_that_is_kept_runs_through_any_number_of_pulses():
    """r = 0: G(t3) = ((5 (1000/20)^-ν + 1) 5^-ν + 2) 10^-ν, pulses at 1000 s and 5000 s."""
    values = PLAIN.with_values(rejuvenation=0.0).values
    state = pulsed(values, pulsed(values, device(values), 1e3), 5e3, n=2)
    expected = ((5 * 50.0**-0.05 + 1) * 5.0**-0.05 + 2) * 10.0**-0.05
    np.testing.assert_allclose(conductance(values, state, 5e4), expected, rtol=1e-13)


def test_a_clock_that_starts_again_forgets_all_but_the_conductance():
    values = PLAIN.values
    state = pulsed(values, pulsed(values, device(values), 1e3), 5e3, n=2)
    after = (5 * 50.0**-0.05 + 1) * 200.0**-0.05 + 2
    np.testing.assert_allclose(state.g, after, rtol=1e-13)
    np.testing.assert_allclose(conductance(values, state, 5e3 + 2e4), after * 1000.0**-0.05)
    assert state.kept is None


def test_a_further_pulse_meets_the_value_and_the_slope_of_both_parts():
    """A step of nothing at t2 leaves G as it is; with r = 0 its logarithmic slope as well."""
    half = PLAIN.with_values(rejuvenation=0.5).values
    still = {**STEP, "mean_offset": 0.0}
    none = PLAIN.with_values(rejuvenation=0.0, set_pulse=still).values
    state = pulsed(half, device(half), 1e5)
    again = pulsed(none, state, 1.5e5)
    np.testing.assert_allclose(
        conductance(half, again, 1.5e5), conductance(half, state, 1.5e5), rtol=1e-13
    )
    slopes = [
        np.log(conductance(half, s, 1.5e5 + 10) / conductance(half, s, 1.5e5))
        for s in (state, again)
    ]
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-3)


@pytest.mark.parametrize("r", [0.0, 0.6, 1.0])
def test_a_burst_drifts_on_as_its_pulses_sent_one_by_one(r):
    values = PLAIN.with_values(rejuvenation=r).values
    burst, single = pulsed(values, device(values), 1e5, n=4), device(values)
    for _ in range(4):
        single = pulsed(values, single, 1e5)
    for t_s in (1e5 + 20.0, 1e5 + 3e3, 1e7):
        np.testing.assert_allclose(
            conductance(values, burst, t_s), conductance(values, single, t_s), rtol=1e-12
        )


@pytest.mark.parametrize("r", [0.0, 0.4, 1.0])
def test_two_waits_around_no_pulse_equal_one(r):
    """Looking at the devices halfway, or giving none of them a pulse, changes nothing at all."""
    values = PLAIN.with_values(rejuvenation=r).values
    state = pulsed(values, device(values), 1e4)
    conductance(values, state, 2e4)
    idle = apply_set(values, state, np.array([0]), 2e4, stream(2, "set"))
    np.testing.assert_array_equal(conductance(values, idle, 1e6), conductance(values, state, 1e6))


def test_pulses_in_quick_succession_do_not_take_early_drift_for_gain():
    """A thousand still pulses a millisecond apart leave 5 µS where it was."""
    values = PLAIN.with_values(set_pulse={**STEP, "mean_offset": 0.0}).values
    state = device(values)
    for k in range(1000):
        state = pulsed(values, state, 1e-3 * (k + 1))
    np.testing.assert_allclose(state.g, 5.0, rtol=1e-12)


def test_a_melt_ends_what_an_older_clock_had_left():
    values = PLAIN.with_values(rejuvenation=0.3, reset_median=0.1).values
    state = apply_reset(values, pulsed(values, device(values), 1e5), None, 2e5, stream(1, "reset"))
    expected = 0.1 * (1e4 / 20.0) ** -0.05
    np.testing.assert_allclose(conductance(values, state, 2.1e5), expected, rtol=1e-12)


def test_a_composition_that_is_none_and_an_age_before_the_pulse_are_refused():
    with pytest.raises(UsageError, match="undone, kept, fresh or blend"):
        composed("mixed", G, NU, ONE, 1e5, 2e5, 20.0)
    with pytest.raises(UsageError, match="pulse_age_s <= age_s"):
        composed("kept", G, NU, ONE, 1e5, 9e4, 20.0)


def test_a_pulse_on_the_reference_value_undoes_the_drift_as_the_first_table_says():
    """Row A: 5 µS with ν = 0.05 at 10^5 s, one pulse of 1 µS: 6.0000 then, 3.9192 at 2 x 10^5 s."""
    steps = {"mean_slope": 0.0, "mean_offset": 1.0, "mean_memory": 0.0}
    steps |= {"std_slope": 0.0, "std_offset": 0.0, "std_memory": 0.0, "memory_pulses": 1.0}
    values = (
        load_parameter_set("ideal")
        .with_values(
            nu_mean={"constant": 0.05},
            t0_s=20.0,
            onset_s=20.0,
            time_origin="last_pulse",
            set_pulse=steps,
            set_nu_mean=0.05,
            set_acts_on="reference",
        )
        .values
    )
    state = manufacture(values, (1,), stream(0, "make"), np.float64)
    state = program(values, state, np.array([5.0]), 0.0, stream(0, "write"))
    state = apply_set(values, state, np.array([1]), 1e5, stream(0, "pulse"))
    for t_s, expected in ((1e5 + 20.0, 6.0), (2e5, 3.9192)):
        assert conductance(values, state, t_s)[0] == pytest.approx(expected, abs=6e-5)
