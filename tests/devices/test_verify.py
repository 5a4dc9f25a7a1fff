from dataclasses import fields, replace

import closed_loop
import numpy as np
import pytest

from pcmsim.devices import (
    Outcome,
    Verify,
    conductance,
    load_parameter_set,
    manufacture,
    write_verify,
)
from pcmsim.devices.laws import Constant, Polynomial
from pcmsim.errors import UsageError
from pcmsim.rng import key, stream

PERFECT_YIELD = {"p_stuck_reset": 0.0, "p_stuck_set": 0.0, "p_untunable": 0.0}
DEFAULT = load_parameter_set("pcm-gst-90nm").with_values(**PERFECT_YIELD)
VALUES = DEFAULT.values
EXACT = Constant(0.0)
KEY = key(1, "verify")
N = 100_000


def made(values=VALUES, n=N, dtype=np.float32):
    return manufacture(values, (n,), stream(1, "make"), dtype)


def written(verify, g_target, values=VALUES, n=N, **more):
    """State, outcome and true error of `n` devices that were all written to one target."""
    target = np.full(n, float(g_target))
    state, outcome = write_verify(values, made(values, n), target, 0.0, KEY, verify, **more)
    return state, outcome, state.g.astype(np.float64) - g_target


MELT = [
    (5.0, 0.4, 1.000, 3.37, 7, 0.250, 0.256),
    (10.0, 0.4, 1.000, 4.61, 10, 0.281, 0.287),
    (10.0, 0.8, 1.000, 3.01, 6, 0.482, 0.492),
    (20.0, 0.4, 0.996, 6.38, 17, 0.365, 0.371),
]


@pytest.mark.parametrize(("g", "tolerance", "share", "mean", "p95", "std", "formula"), MELT)
def test_the_melting_loop_converges_as_computed_elsewhere(
    g, tolerance, share, mean, p95, std, formula
):
    """Share that converged, their mean iterations, 95th percentile, and spread of their true error.

    With the verify read of that computation, 0.05 + 0.012 G µS. Its start is the current of the
    median device, its step divides by the slope of the median curve at the target, and the shift
    of the device is unknown to the loop. The other computation's own error is taken as ours.
    """
    verify = Verify("melt", tolerance, read_std=Polynomial((0.05, 0.012 * 25.0)))
    _, outcome, error = written(verify, g)
    ok = outcome.converged
    assert abs(ok.mean() - share) < 4 * np.sqrt(2 * 0.004 * 0.996 / N) + 5e-4
    iterations = outcome.iterations[ok]
    assert abs(iterations.mean() - mean) < 4 * np.sqrt(2 / N) * iterations.std() + 0.005
    assert np.percentile(outcome.iterations, 95) == p95
    assert abs(error[ok].std() - std) < 4 * std / np.sqrt(N) + 5e-4
    floor = np.sqrt(tolerance**2 / 3 + (0.05 + 0.012 * g) ** 2)
    assert floor == pytest.approx(formula, abs=5e-4)
    assert error[ok].std() == pytest.approx(floor, rel=0.05)


@pytest.mark.parametrize(
    ("g", "tolerance", "sets", "restarts"),
    [(2.5, 0.8, 2.6, 0.54), (5.0, 0.4, 8.0, 0.86), (10.0, 0.8, 17.5, 0.13)],
)
def test_the_set_loop_takes_the_pulses_computed_elsewhere(g, tolerance, sets, restarts):
    """Mean SET pulses and restarts, the first RESET not counted; all devices alike, no limit.

    The reads of that computation have the noise published with the pulses, 0.13 + 0.03 G µS
    (doi:10.1063/1.5042408). Half a digit of the table beside four standard errors of both.
    """
    values = DEFAULT.with_values(set_device_std=0.0).values
    read = Polynomial((0.13, 0.03 * 25.0))
    verify = Verify("set", tolerance, max_iterations=2000, read_std=read)
    _, outcome, error = written(verify, g, values)
    assert outcome.converged.all()
    two = 4 * np.sqrt(2 / N)
    assert abs(outcome.set_pulses.mean() - sets) < two * outcome.set_pulses.std() + 0.05
    again = outcome.reset_pulses - 1
    assert abs(again.mean() - restarts) < two * again.std() + 0.005
    if g == 10.0:
        assert abs(error.std() - 0.552) < two * error.std() + 5e-4
        assert abs(error.mean() + 0.38) < two * error.std() + 0.005


@pytest.mark.parametrize(("reads", "bits"), [(1, None), (4, None), (1, 8), (3, 6)])
@pytest.mark.parametrize("backend", ["melt", "set"])
def test_the_kernel_is_its_twin_device_by_device(backend, reads, bits):
    """Single against double precision in the draws, tables against laws in the noise."""
    n, how = 150, {"tolerance": 0.6, "most": 40, "wait_s": 2.0, "reads": reads, "bits": bits}
    state, target = made(n=n, dtype=np.float64), np.linspace(0.5, 11.0, n)
    slow = stream(2, "slow").normal(size=n) * 2
    verify = Verify(backend, 0.6, 40, reads=reads, wait_s=2.0, adc_bits=bits)
    after, outcome = write_verify(VALUES, state, target, 0.0, KEY, verify, slow=slow)
    loop = closed_loop.melt if backend == "melt" else closed_loop.accumulate
    own = state.melt_shift if backend == "melt" else state.set_factor
    twin = [loop(KEY, i, target[i], own[i], state.nu_device[i], slow[i], **how) for i in range(n)]
    np.testing.assert_array_equal(outcome.iterations, [k for _, k, _ in twin])
    np.testing.assert_array_equal(outcome.converged, [ok for _, _, ok in twin])
    np.testing.assert_allclose(after.g, [g for g, _, _ in twin], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reads", [1, 16])
def test_averaged_reads_bring_the_spread_down_to_what_the_tolerance_leaves(reads):
    """√(τ²/3 + σ_v²/M) at 20 µS, where pulses spread by 2 µS; ± 5 %."""
    verify = Verify("melt", 0.4, max_iterations=200, reads=reads, read_std=Constant(0.4))
    _, outcome, error = written(verify, 20.0)
    assert outcome.converged.all()
    assert error.std() == pytest.approx(np.sqrt(0.4**2 / 3 + 0.16 / reads), rel=0.05)


def test_a_converter_hides_what_lies_within_its_step():
    """4 bits over 30 µS: accepted within ± 1 µS around 10 µS, a code, though τ is 0.1 µS."""
    verify = Verify("melt", 0.1, 100, adc_bits=4, read_std=EXACT)
    _, outcome, error = written(verify, 10.0)
    assert outcome.converged.all()
    assert np.abs(error).max() == pytest.approx(1.0, abs=0.01)
    assert error.std() == pytest.approx(1.0 / np.sqrt(3), rel=0.05)


def test_a_fluctuation_that_stands_still_is_written_into_the_device():
    """Whoever reads 5 % too much ends 5 % below: Q = 0.0159626 at 10 µS."""
    slow = np.full(N, 0.05 / 0.0159626)
    _, _, error = written(Verify("melt", 0.1, 300, read_std=EXACT), 10.0, slow=slow)
    assert error.mean() == pytest.approx(10.0 / 1.05 - 10.0, abs=0.02)


def test_by_default_a_read_has_the_fast_noise_of_the_set():
    """Q G √ln(λ_max/λ_split) at 20 µS: 0.0101744 x 20 x 3.0492 = 0.6205 µS, averaged over four."""
    _, outcome, error = written(Verify("melt", 0.4, 300, reads=4), 20.0)
    assert outcome.converged.all()
    assert error.std() == pytest.approx(np.hypot(0.4 / np.sqrt(3), 0.6205 / 2), rel=0.05)


def test_counted_from_the_last_pulse_devices_drift_on_from_their_target():
    """Read 1 ms after the pulse, G is (1e-3/20)^-ν of what it is at t0."""
    values = DEFAULT.with_values(time_origin="last_pulse").values
    how = Verify("melt", 0.2, 300, read_std=EXACT)
    state, outcome, _ = written(how, 10.0, values)
    read = state.g * (1e-3 / 20.0) ** -state.nu.astype(np.float64)
    assert np.abs(read - 10.0)[outcome.converged].max() < 0.21
    written_at = np.asarray(state.programmed_at_s).max()
    assert conductance(values, state, written_at + 20.0).mean() < 6.5


def test_a_target_of_zero_is_one_reset_that_nobody_reads():
    for backend in ("melt", "set"):
        state, outcome, _ = written(Verify(backend), 0.0)
        log = np.log(state.g.astype(np.float64))
        assert abs(log.mean() - np.log(0.1)) < 4 * 0.5 / np.sqrt(N)
        assert abs(log.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * N)
        assert outcome.converged.all()
        for name, count in (("iterations", 1), ("reset_pulses", 1), ("set_pulses", 0)):
            np.testing.assert_array_equal(getattr(outcome, name), count)
        np.testing.assert_array_equal(state.origin, 1)


def test_faulty_devices_never_converge_and_do_not_change():
    values = load_parameter_set("pcm-gst-90nm").with_values(p_untunable=0.3).values
    before = made(values, 5000)
    faulty = before.fault > 0
    for backend in ("melt", "set"):
        target = np.where(np.arange(5000) % 2, 8.0, 0.0)
        after, outcome = write_verify(values, before, target, 5.0, KEY, Verify(backend))
        assert not outcome.converged[faulty].any()
        np.testing.assert_array_equal(
            outcome.iterations[faulty], np.where(target > 0, 30, 1)[faulty]
        )
        for name in ("g", "nu", "noise", "fault", "g_fault"):
            kept, old = getattr(after, name)[faulty], getattr(before, name)[faulty]
            np.testing.assert_array_equal(kept, old)
        np.testing.assert_array_equal(after.programmed_at_s[faulty], 0.0)


@pytest.mark.parametrize("backend", ["melt", "set"])
def test_a_mask_changes_neither_the_others_nor_what_its_own_devices_become(backend):
    before, target = made(n=6000), np.linspace(0.0, 9.0, 6000)
    where = np.arange(6000) % 3 == 0
    part, outcome = write_verify(VALUES, before, target, 9.0, KEY, Verify(backend), where)
    whole, everything = write_verify(VALUES, before, target, 9.0, KEY, Verify(backend))
    for field in fields(before):
        old, new, all_ = (getattr(s, field.name) for s in (before, part, whole))
        if isinstance(all_, np.ndarray) and field.name != "programmed_at_s":
            np.testing.assert_array_equal(new[~where], old[~where], err_msg=field.name)
            np.testing.assert_array_equal(new[where], all_[where], err_msg=field.name)
    np.testing.assert_array_equal(part.programmed_at_s[~where], 0.0)
    np.testing.assert_array_equal(outcome.iterations, everything.iterations * where)
    assert part.programmings == before.programmings + 1


def test_the_key_names_the_draws():
    a, _, _ = written(Verify(), 5.0, n=100)
    b, _, _ = written(Verify(), 5.0, n=100)
    target = np.full(100, 5.0)
    other, _ = write_verify(VALUES, made(n=100), target, 0.0, key(2, "verify"), Verify())
    np.testing.assert_array_equal(a.g, b.g)
    assert not np.any(a.g == other.g)


def test_counters_and_exponents_are_those_of_the_last_pulses():
    """Exponent 0.049 ± 0.008 of melted devices at 10 µS, 0.04 ± 0.01 of those that SET built up."""
    before = made()
    melt, outcome, _ = written(Verify("melt"), 10.0)
    np.testing.assert_array_equal(melt.resets, before.resets + outcome.iterations)
    assert abs(melt.nu.mean(dtype=np.float64) - 0.049) < 4 * 0.008 / np.sqrt(N)
    assert abs(melt.nu.std(dtype=np.float64) - 0.008) < 4 * 0.008 / np.sqrt(2 * N)
    assert melt.sets.max() == melt.set_pulses.max() == melt.origin.max() == 0
    built, outcome, _ = written(Verify("set"), 6.0)
    assert abs(built.nu.mean(dtype=np.float64) - 0.04) < 4 * 0.01 / np.sqrt(N)
    np.testing.assert_array_equal(built.set_pulses, outcome.iterations)
    np.testing.assert_array_equal(built.resets, before.resets + outcome.reset_pulses)
    once = outcome.reset_pulses == 1
    np.testing.assert_array_equal(built.sets[once], outcome.set_pulses[once])
    assert np.all(built.sets[~once] < outcome.set_pulses[~once])
    assert np.all(built.sets > 0)
    share = np.corrcoef(built.nu, built.nu_event)[0, 1] ** 2
    assert abs(share - 0.5) < 4 * 2 * np.sqrt(0.5) * 0.5 / np.sqrt(N)


def test_a_device_that_is_given_up_stays_as_its_last_pulse_left_it():
    """Two iterations at a tolerance nobody meets: the second pulse of the longer loop's three."""
    states = [
        written(Verify("melt", 1e-9, most, read_std=EXACT), 10.0, n=2000)[0] for most in (1, 2)
    ]
    shift = made(n=2000).melt_shift.astype(np.float64)
    f = 30.0 / (1.0 + np.exp(np.log(2.0) - 15.0 * shift / 40.0))
    first = np.corrcoef(states[0].g, f)[0, 1]
    second = np.corrcoef(states[1].g, f)[0, 1]
    assert first > 0.9
    assert second < first - 0.02


def test_groups_take_as_long_as_their_slowest_and_follow_each_other():
    """7 µs a melt, 2 ms a wait, 3 µs for each of two reads; three at a time, the last one alone."""
    how = Verify("melt", 0.3, 50, reads=2, wait_s=2e-3, pulse_s=7e-6, read_s=3e-6, parallel=3)
    state, outcome, _ = written(how, 8.0, n=7)
    each, began = 7e-6 + 2e-3 + 6e-6, 0.0
    expected = np.zeros(7)
    for group in (slice(0, 3), slice(3, 6), slice(6, 7)):
        expected[group] = began + outcome.iterations[group] * each - (2e-3 + 6e-6)
        began += outcome.iterations[group].max() * each
    np.testing.assert_allclose(state.programmed_at_s, expected, rtol=1e-12)
    assert outcome.seconds == pytest.approx(began, rel=1e-12)
    assert conductance(VALUES, state, outcome.seconds).max() <= state.g.max()


def test_who_melts_once_too_often_is_worn_and_not_written():
    before = replace(made(n=1000), lifetime=np.full(1000, 4.0, np.float32))
    target = np.full(1000, 10.0)
    after, outcome = write_verify(VALUES, before, target, 0.0, KEY, Verify("melt", 0.2))
    worn = 1 + outcome.iterations > 4
    assert 0.1 < worn.mean() < 0.9
    np.testing.assert_array_equal(after.fault, np.where(worn, 2, 0))
    assert not outcome.converged[worn].any()


def test_nobody_is_written_through_an_empty_mask():
    before = made(n=10)
    nobody = np.zeros(10, bool)
    after, outcome = write_verify(VALUES, before, np.full(10, 5.0), 3.0, KEY, Verify(), nobody)
    np.testing.assert_array_equal(after.g, before.g)
    assert isinstance(outcome, Outcome)
    assert outcome.seconds == 0.0
    assert outcome.iterations.sum() == 0


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"backend": "reset"}, "backend = 'reset'"),
        ({"g_tolerance": 0.0}, "g_tolerance = 0"),
        ({"gain": float("nan")}, "gain = nan"),
        ({"max_iterations": 0}, "max_iterations = 0"),
        ({"reads": True}, "reads = True"),
        ({"parallel": 1.5}, "parallel = 1.5"),
        ({"wait_s": -1.0}, "wait_s = -1"),
        ({"adc_bits": 0}, "adc_bits = 0"),
    ],
)
def test_a_loop_that_cannot_be_run_is_refused(how, message):
    with pytest.raises(UsageError, match=message):
        Verify(**how)


@pytest.mark.parametrize(
    ("target", "more", "message"),
    [
        (np.array([1.0, 26.0]), {}, "above g_max = 25 uS"),
        (np.array([1.0, np.nan]), {}, "NaN or infinite"),
        (np.ones(3), {}, "g_target must have shape"),
        (np.ones(2), {"slow": np.ones(3)}, "slow must have shape"),
        (np.ones(2), {"where": np.ones(3, bool)}, "where must be a boolean mask"),
    ],
)
def test_what_cannot_be_written_is_refused(target, more, message):
    with pytest.raises(UsageError, match=message):
        write_verify(VALUES, made(n=2), target, 0.0, KEY, Verify(), **more)
