import numpy as np
import pytest

from pcmsim.devices import conductance, drifted, load_parameter_set, manufacture, program
from pcmsim.errors import UsageError
from pcmsim.rng import stream

DAY_S = 86400.0
DEFAULT = load_parameter_set("pcm-gst-90nm").values
PERFECT_YIELD = {"p_stuck_reset": 0.0, "p_stuck_set": 0.0, "p_untunable": 0.0}
HEALTHY = load_parameter_set("pcm-gst-90nm").with_values(**PERFECT_YIELD).values
TARGET = np.linspace(0.0, 25.0, 20_000).astype(np.float32)


def written(values=HEALTHY, seed=1, now_s=0.0, target=TARGET, dtype=np.float32):
    state = manufacture(values, target.shape, stream(seed, "make"), dtype)
    return program(values, state, target, now_s, stream(seed, "write"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_conductance_is_ever_negative(dtype):
    state = written(DEFAULT, dtype=dtype)
    for t_s in (0.0, 1.0, DAY_S, 1e9):
        g = conductance(DEFAULT, state, t_s)
        assert g.dtype == dtype
        assert g.min() >= 0.0


def test_every_device_falls_for_ever():
    state, before = written(), None
    for t_s in (0.0, 1.0, 60.0, DAY_S, 365 * DAY_S):
        g = conductance(HEALTHY, state, t_s)
        if before is not None:
            assert np.all(g[before > 0] < before[before > 0])
        before = g


def test_two_short_waits_equal_one_long_wait():
    """What has drifted to 4000 s, taken as the start, drifts on to the same conductance."""
    state = written(dtype=np.float64)
    halfway = drifted(state.g, state.nu, 4000.0, 20.0)
    np.testing.assert_allclose(
        drifted(halfway, state.nu, 3e5, 4000.0), drifted(state.g, state.nu, 3e5, 20.0), rtol=1e-12
    )


def test_drift_is_a_power_of_age_with_the_device_own_exponent():
    state = written()
    expected = state.g * ((3600.0 + 20.0) / 20.0) ** -state.nu.astype(np.float64)
    np.testing.assert_allclose(conductance(HEALTHY, state, 3600.0), expected, rtol=2e-6)


def test_programming_again_starts_the_clock_again():
    state = written()
    again = program(HEALTHY, state, TARGET, 5 * DAY_S, stream(1, "again"))
    np.testing.assert_array_equal(conductance(HEALTHY, again, 5 * DAY_S), again.g)
    assert again.programmed_at_s == 5 * DAY_S
    assert again.programmings == state.programmings + 1


def test_half_of_the_exponent_s_variance_stays_with_the_device():
    """Correlation of ν over two programmings is ρ = 0.5; standard error 1/√n on 20,000 devices."""
    target = np.full(20_000, 10.0, np.float32)
    first = written(target=target)
    second = program(HEALTHY, first, target, DAY_S, stream(1, "again"))
    correlation = np.corrcoef(first.nu, second.nu)[0, 1]
    assert abs(correlation - 0.5) < 4 / np.sqrt(target.size)
    assert not np.array_equal(first.g, second.g)


def test_the_same_seed_makes_the_same_array():
    a, b, other = written(seed=3), written(seed=3), written(seed=4)
    np.testing.assert_array_equal(a.g, b.g)
    np.testing.assert_array_equal(a.nu, b.nu)
    assert not np.array_equal(a.g, other.g)


def test_zero_targets_are_left_in_reset():
    """Log-normal: median 0.1 µS, standard deviation of ln G 0.5; four standard errors of 40,000."""
    state = written(target=np.zeros(40_000, np.float32))
    log = np.log(state.g.astype(np.float64))
    assert abs(np.median(log) - np.log(0.1)) < 4 * 1.2533 * 0.5 / 200
    assert abs(log.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * 40_000)
    assert np.mean(state.g < 0.5) > 0.998


def test_faults_come_at_their_rates_and_survive_programming():
    """Binomial shares within four standard errors."""
    target = np.full(200_000, 8.0, np.float32)
    first = written(DEFAULT, target=target)
    for code, p in ((1, 0.005), (2, 0.003), (3, 0.002)):
        share = np.mean(first.fault == code)
        assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / target.size)
    second = program(DEFAULT, first, np.full_like(target, 20.0), 10.0, stream(1, "again"))
    faulty = first.fault > 0
    np.testing.assert_array_equal(second.fault, first.fault)
    np.testing.assert_array_equal(second.g[faulty], first.g[faulty])
    assert second.g[~faulty].mean() > 19.9


def test_each_fault_sits_where_its_mechanism_puts_it():
    state = written(DEFAULT, target=np.full(400_000, 8.0, np.float32))
    reset, stuck_set, untunable = (state.g[state.fault == code] for code in (1, 2, 3))
    assert np.median(reset) == pytest.approx(0.1, rel=0.1)
    assert stuck_set.mean() == pytest.approx(27.5, abs=4 * 2.5 / np.sqrt(stuck_set.size))
    assert stuck_set.std() == pytest.approx(2.5, rel=4 / np.sqrt(2 * stuck_set.size))
    assert untunable.mean() == pytest.approx(12.5, abs=4 * 25 / np.sqrt(12 * untunable.size))
    assert np.all(state.nu[state.fault == 2] == np.float32(0.01))


def test_a_spread_measured_with_reads_is_cleaned_of_the_read_s_own_noise():
    """σ² - (Q G)² ln((20 s + t_r) / 2 t_r) at 10 µS: 0.86178² - (0.15956)² x 17.504."""
    clean = {**PERFECT_YIELD, "programming_std_includes_read_noise": True}
    values = load_parameter_set("pcm-gst-90nm").with_values(**clean).values
    state = written(values, target=np.full(200_000, 10.0, np.float32))
    expected = np.sqrt(0.86178**2 - 0.159626**2 * np.log((20 + 250e-9) / 500e-9))
    assert abs(state.g.std() - expected) < 4 * expected / np.sqrt(2 * 200_000)


def test_a_liner_scales_exponents_and_noise_and_nothing_else():
    """The projected set has a tenth of both for the same draws; ν/ν_0 exact to single precision."""
    bare = load_parameter_set("pcm-projected").with_values(projection=1.0, **PERFECT_YIELD).values
    lined = load_parameter_set("pcm-projected").with_values(**PERFECT_YIELD).values
    a, b = written(bare), written(lined)
    np.testing.assert_array_equal(a.g, b.g)
    np.testing.assert_allclose(b.nu, 0.1 * a.nu, rtol=1e-6)
    np.testing.assert_allclose(b.noise, 0.1 * a.noise, rtol=1e-6)


def test_an_onset_holds_the_conductance_of_the_last_pulse_convention():
    values = load_parameter_set("pcm-joshi2020").with_values(**PERFECT_YIELD).values
    state = written(values)
    np.testing.assert_array_equal(conductance(values, state, 0.0), conductance(values, state, 1e-3))
    expected = state.g * (1e-3 / 20.0) ** -state.nu.astype(np.float64)
    np.testing.assert_allclose(conductance(values, state, 5e-4), expected, rtol=5e-6)
    np.testing.assert_allclose(conductance(values, state, 20.0), state.g, rtol=1e-6)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.array([1.0, np.nan]), "NaN or infinite"),
        (np.array([1.0, -0.5]), "cannot be negative"),
        (np.array([1.0, 26.0]), "above g_max = 25 uS"),
        (np.array([1.0, 2.0, 3.0]), "shape"),
    ],
)
def test_a_target_that_cannot_be_written_is_refused(target, message):
    state = manufacture(DEFAULT, (2,), stream(1, "make"))
    with pytest.raises(UsageError, match=message):
        program(DEFAULT, state, target, 0.0, stream(1, "write"))


def test_time_before_programming_is_refused():
    with pytest.raises(UsageError, match=">= 0 s"):
        conductance(HEALTHY, written(now_s=10.0), 5.0)


def test_the_ideal_set_keeps_exactly_what_was_written():
    ideal = load_parameter_set("ideal").values
    np.testing.assert_array_equal(conductance(ideal, written(ideal), 1e8), TARGET)


def test_integers_are_no_conductances():
    with pytest.raises(UsageError, match="float32 or float64"):
        manufacture(DEFAULT, (2,), stream(1, "make"), np.int32)
