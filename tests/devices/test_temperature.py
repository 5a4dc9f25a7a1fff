import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pcmsim.devices import (
    Ambient,
    age_s,
    apply_set,
    check_at_reference,
    conductance,
    drifted,
    effective_age_s,
    load_parameter_set,
    manufacture,
    parameter_set_names,
    program,
    readout_factor,
    temperature_law,
)
from pcmsim.devices.params import PULSE_ENTRIES
from pcmsim.errors import UsageError
from pcmsim.rng import stream

SET = load_parameter_set("pcm-gst-90nm")
VALUES = SET.values
LAST_PULSE = load_parameter_set("pcm-joshi2020").values
HOUR_S, DAY_S = 3600.0, 86400.0
ROOM = Ambient((0.0,), (25.0,))
WARM = Ambient((0.0,), (50.0,))
BAKE = Ambient((0.0, HOUR_S, 2 * HOUR_S), (25.0, 85.0, 25.0))


def programmed(values=VALUES, dtype=np.float32, apart=False):
    """Devices at many levels; `apart`, some were written later than others."""
    state = manufacture(values, (40, 50), stream(1, "make"), dtype)
    target = np.tile(np.linspace(0.0, values.g_max, 50), (40, 1))
    state = program(values, state, target, 5.0, stream(1, "write"))
    if apart:
        where = np.arange(2000).reshape(40, 50) % 3 == 0
        state = program(values, state, target, 700.0, stream(1, "again"), where)
    return state


@pytest.mark.parametrize(("g", "factor"), [(0.01, 2.0), (25.0, 1.35)])
def test_from_25_to_50_degrees_devices_conduct_as_published(g, factor):
    """0.23 eV and 0.10 eV at the ends of the clip: x 2.0 and x 1.35."""
    assert readout_factor(VALUES.temperature, np.array([g]), 50.0) == pytest.approx(
        factor, rel=5e-3
    )


def test_between_the_clips_the_activation_falls_with_the_logarithm_of_the_conductance():
    """0.045 ln(15/1) + 0.0844 eV = 0.20626 eV at 1 µS; k = 8.617333e-5 eV/K."""
    by_hand = math.exp(-(0.206262 / 8.617333e-5) * (1 / 333.15 - 1 / 298.15))
    found = readout_factor(VALUES.temperature, np.array([1.0]), 60.0)
    assert found == pytest.approx(by_hand, rel=1e-5)
    colder = readout_factor(VALUES.temperature, np.array([1.0]), 5.0)
    assert colder < 1.0 < found


@pytest.mark.parametrize(("celsius", "days"), [(85.0, 89.4), (50.0, 1.02)])
def test_an_hour_in_the_oven_is_so_many_days(celsius, days):
    found = effective_age_s(LAST_PULSE, Ambient((0.0,), (celsius,)), 0.0, HOUR_S)
    assert found / DAY_S == pytest.approx(days, rel=2e-3)


@pytest.mark.parametrize("values", [VALUES, LAST_PULSE])
def test_at_the_reference_temperature_nothing_changes_to_the_bit(values):
    for elapsed in (0.0, 1e-4, 1.0, 1e6):
        assert effective_age_s(values, ROOM, 3.0, 3.0 + elapsed) == age_s(
            values, 3.0 + elapsed - 3.0
        )
    for dtype in (np.float32, np.float64):
        for apart in (False, True):
            state = programmed(values, dtype, apart)
            at = 1e5
            shown = conductance(values, state, at, ambient=Ambient((0.0, 9.0), (25.0, 25.0)))
            np.testing.assert_array_equal(shown, conductance(values, state, at))


def test_until_the_oven_is_switched_on_devices_drift_as_without_it():
    state = programmed(dtype=np.float64, apart=True)
    before = conductance(VALUES, state, 3000.0, ambient=BAKE)
    np.testing.assert_allclose(before, conductance(VALUES, state, 3000.0), rtol=1e-12)


@pytest.mark.parametrize("celsius", [0.0, 10.0, 50.0, 85.0])
@pytest.mark.parametrize("origin", ["reference", "last_pulse"])
def test_at_a_constant_temperature_the_exponent_is_that_of_the_set(celsius, origin):
    """Read at that temperature: the slope of ln G against ln t, far from the start."""
    values = load_parameter_set("pcm-gst-90nm").with_values(time_origin=origin).values
    state, ambient = programmed(values, dtype=np.float64), Ambient((0.0,), (celsius,))
    early, late = (conductance(values, state, 5.0 + t, ambient=ambient) for t in (1e8, 1e9))
    live = state.g > 0.0
    slope = -np.log(late[live] / early[live]) / np.log(10.0)
    np.testing.assert_allclose(slope, state.nu[live], rtol=1e-4, atol=1e-9)


def test_devices_follow_the_barriers_of_collective_relaxation_through_a_profile():
    """The equation of motion of the barrier, dE/dt = (kT/τ) exp(-E/kT), solved by scipy.

    From E = k T_ref ln(t0/τ) at programming; ln G falls by E_a0 (1/kT - 1/kT_ref) with the read-out
    and by ν (E - E(t0)) / kT with what has relaxed.
    """
    boltzmann, tau, t0 = 8.617333262e-5, VALUES.temperature.attempt_s, VALUES.t0_s
    kelvin = {5.0: 298.15, 3600.0: 358.15, 7200.0: 283.15}
    start = boltzmann * 298.15 * np.log(t0 / tau)
    barrier, ends = start, [3600.0, 7200.0, DAY_S]
    for (begin, temperature), end in zip(kelvin.items(), ends, strict=True):
        kt = boltzmann * temperature

        def speed(_, e, kt=kt):
            return kt * np.exp(-e / kt - np.log(tau))

        solved = solve_ivp(speed, (begin, end), [barrier], method="LSODA", rtol=1e-10, atol=1e-12)
        barrier = float(solved.y[0, -1])
    state = programmed(dtype=np.float64)
    ambient = Ambient((0.0, 3600.0, 7200.0), (25.0, 85.0, 10.0))
    inverse = 1.0 / (boltzmann * 283.15) - 1.0 / (boltzmann * 298.15)
    log_g = -VALUES.temperature.energy_ev(state.g) * inverse
    log_g -= state.nu * (barrier - start) / (boltzmann * 283.15)
    shown = conductance(VALUES, state, DAY_S, ambient=ambient)
    np.testing.assert_allclose(shown, state.g * np.exp(log_g), rtol=1e-6)


def test_singles_agree_with_doubles_and_fill_what_they_are_given():
    state = programmed(apart=True)
    wide = replace(state, g=state.g.astype(np.float64), nu=state.nu.astype(np.float64))
    expected = conductance(VALUES, wide, DAY_S, ambient=WARM)
    out = np.empty_like(state.g)
    assert conductance(VALUES, state, DAY_S, out, ambient=WARM) is out
    np.testing.assert_allclose(out, expected, rtol=1e-5)


def test_devices_written_at_different_times_have_ages_of_their_own():
    written = np.array([[0.0, 100.0, 4000.0], [100.0, 0.0, 7100.0]])
    ages = effective_age_s(VALUES, BAKE, written, 8000.0)
    single = [[effective_age_s(VALUES, BAKE, t, 8000.0) for t in row] for row in written.tolist()]
    np.testing.assert_array_equal(ages, single)
    assert ages[0, 0] > ages[0, 2] > ages[1, 2]


def test_after_a_bake_the_factor_is_one_again_and_the_drift_stays():
    state = programmed(dtype=np.float64)
    shown = conductance(VALUES, state, 3 * HOUR_S, ambient=BAKE)
    # An hour at 85 degrees was 89 days; the two hours beside it hardly count.
    age = effective_age_s(VALUES, BAKE, 5.0, 3 * HOUR_S)
    assert age / DAY_S == pytest.approx(89.5, abs=0.3)
    np.testing.assert_allclose(shown, drifted(state.g, state.nu, age, VALUES.t0_s), rtol=1e-12)
    drifts = state.g > 0.0
    assert np.all(shown[drifts] < conductance(VALUES, state, 3 * HOUR_S)[drifts])


def test_hotter_never_drifts_less_once_it_is_over():
    state, shown = programmed(dtype=np.float64), []
    for celsius in (5.0, 25.0, 45.0, 65.0, 85.0):
        ambient = Ambient((0.0, HOUR_S), (celsius, 25.0))
        shown.append(conductance(VALUES, state, 2 * HOUR_S, ambient=ambient))
    assert np.all(np.diff(shown, axis=0) <= 0.0)


def test_a_device_is_t0_old_when_programming_ends_at_whatever_temperature():
    assert effective_age_s(VALUES, WARM, 7.0, 7.0) == pytest.approx(20.0, rel=1e-14)
    assert effective_age_s(VALUES, WARM, 7.0, 7.001) < 20.2


def test_below_the_onset_nothing_drifts_and_heat_brings_the_onset_nearer():
    onset = LAST_PULSE.onset_s
    assert effective_age_s(LAST_PULSE, WARM, 7.0, 7.0) == onset
    cold = effective_age_s(LAST_PULSE, Ambient((0.0,), (5.0,)), 7.0, 7.0 + 1.5 * onset)
    assert cold == onset
    assert effective_age_s(LAST_PULSE, WARM, 7.0, 7.0 + 0.5 * onset) > onset


def test_a_time_before_programming_is_refused():
    with pytest.raises(UsageError, match="time since programming"):
        effective_age_s(VALUES, WARM, 7.0, 6.0)
    with pytest.raises(UsageError, match="time since programming"):
        effective_age_s(VALUES, WARM, np.array([5.0, 7.0]), 6.0)


@pytest.mark.parametrize(
    ("celsius", "message"),
    [(85.1, "up to 85 °C, for at higher temperatures crystallisation"), (-0.1, "from 0 °C on")],
)
def test_temperatures_outside_of_the_range_of_the_set_are_refused(celsius, message):
    with pytest.raises(UsageError, match=message):
        temperature_law(VALUES, Ambient((0.0, 9.0), (25.0, celsius)))
    for edge in (0.0, 85.0):
        assert temperature_law(VALUES, Ambient((0.0,), (edge,))) is VALUES.temperature


def test_sets_without_an_entry_know_the_reference_temperature_only():
    known = {n for n in parameter_set_names() if load_parameter_set(n).values.temperature}
    assert known == {"pcm-gst-90nm", "pcm-joshi2020", "pcm-hermes-14nm"}
    for name in set(parameter_set_names()) - known:
        values = load_parameter_set(name).values
        state = programmed(values)
        shown = conductance(values, state, 9.0, ambient=ROOM)
        np.testing.assert_array_equal(shown, conductance(values, state, 9.0))
        with pytest.raises(UsageError, match="holds at 25 °C only; add an entry `temperature`"):
            conductance(values, state, 9.0, ambient=WARM)


def test_cells_that_relax_are_refused_at_other_temperatures():
    shape = ("scale", "growth", "tail", "tail_growth", "skew", "skew_growth")
    law = {name: [0.0] for name in shape} | {"onset_s": 0.1, "floor_us": 1.0, "cap_us": 1e3}
    law |= {"persistence": 0.5, "memory_s": 1e-3}
    no_pulses = dict.fromkeys(PULSE_ENTRIES)
    relaxing = load_parameter_set("ideal").with_values(relaxation=law, **no_pulses).values
    with pytest.raises(UsageError, match="relaxation law"):
        temperature_law(relaxing, WARM)
    assert temperature_law(relaxing, ROOM) is None


def test_pulses_find_what_drift_left_at_the_temperatures_since_and_no_activation():
    """Increments are described at the reference temperature, where they were measured."""
    values = SET.with_values(
        set_pulse={
            **dict.fromkeys(("mean_slope", "mean_memory", "std_slope"), 0.0),
            **dict.fromkeys(("std_offset", "std_memory"), 0.0),
            "mean_offset": 0.5,
            "memory_pulses": 1.0,
        },
        set_device_std=0.0,
        set_g_max=40.0,
        set_g_min=0.0,
    ).values
    state = programmed(values, np.float64, apart=True)
    after = apply_set(values, state, np.ones(state.shape, int), DAY_S, stream(2, "set"), BAKE)
    age = effective_age_s(values, BAKE, state.programmed_at_s, DAY_S)
    healthy = state.fault == 0
    expected = drifted(state.g, state.nu, age, values.t0_s) + 0.5
    np.testing.assert_allclose(after.g[healthy], expected[healthy], rtol=1e-6)
    hot = apply_set(values, state, np.ones(state.shape, int), HOUR_S, stream(2, "set"), BAKE)
    cool = apply_set(values, state, np.ones(state.shape, int), HOUR_S, stream(2, "set"))
    np.testing.assert_allclose(hot.g, cool.g, rtol=1e-12)


def test_clocks_that_pulses_kept_are_refused_at_other_temperatures():
    values = SET.with_values(rejuvenation=0.5).values
    ones, state = np.ones((40, 50), int), programmed(values)
    with pytest.raises(UsageError, match=r"rejuvenation = 0\.5 .* write rejuvenation = 1\.0"):
        apply_set(values, state, ones, DAY_S, stream(2, "set"), WARM)
    kept = apply_set(values, state, ones, DAY_S, stream(2, "set"), ROOM)
    with pytest.raises(UsageError, match=r"rejuvenation = 0\.5.* holds at 25 °C only"):
        conductance(values, kept, 2 * DAY_S, ambient=WARM)
    conductance(values, kept, 2 * DAY_S, ambient=ROOM)


def test_a_closed_loop_is_refused_while_it_is_warm_and_not_before_or_after():
    for now_s in (0.0, 2 * HOUR_S):
        check_at_reference(VALUES, BAKE, now_s)
    check_at_reference(VALUES, None, 0.0)
    with pytest.raises(UsageError, match="described at 25 °C and it is 85 °C"):
        check_at_reference(VALUES, BAKE, HOUR_S)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lowest_c": 30.0}, "lowest_c <= reference_c <= highest_c is needed"),
        ({"attempt_s": 1.0}, "attempt_s = 1 s must lie below t0_s and onset_s"),
        ({"activation_ev": {"constant": -0.1}}, "activation_ev is negative"),
        ({"g_of_fit": 0.0}, "g_of_fit"),
        ({"highest": 90.0}, "highest"),
    ],
)
def test_entries_that_are_none_are_refused(changes, message):
    entry = SET.entries["temperature"].value | changes
    with pytest.raises(UsageError, match=message):
        SET.with_values(temperature=entry)
