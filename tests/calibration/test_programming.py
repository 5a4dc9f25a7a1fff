"""Closed-loop programming: the placement is told from the reads that a window selected."""

from dataclasses import replace

import numpy as np
import pytest
from campaigns import VALUES
from programmed import INSTRUMENT, NU, NU_STD, Q, drawn
from scipy.optimize import minimize
from scipy.special import log_ndtr
from scipy.stats import kstest, nbinom, truncnorm

from pcmsim.calibration.device_likelihood import maximise
from pcmsim.calibration.noise_model import NoiseModel
from pcmsim.calibration.programming import fit_programming
from pcmsim.calibration.programming_check import agreements
from pcmsim.calibration.programming_goodness import fit_window, window_p_value
from pcmsim.calibration.programming_level import Known, window_of
from pcmsim.calibration.programming_model import log_likelihood
from pcmsim.calibration.programming_pulses import fit_iterations
from pcmsim.calibration.truncated import log_density, window_law, window_share
from pcmsim.devices.laws import Constant


@pytest.fixture(scope="module")
def wide():
    """Three thousand devices at 10 uS, whose pulses spread about as widely as the window."""
    levels, u = drawn(np.random.default_rng(3), 3000, spread=0.7)
    return levels, u, fit_programming(levels, INSTRUMENT, 20.0).levels[0]


def verify_variance(level):
    """Of a verify read around the true conductance, as fitted [µS²]."""
    noise = level.estimate["noise_power"] * level.window.noise[0, 0]
    return noise + level.window.instrument_variance


@pytest.mark.parametrize(
    ("mean", "std"), [(0.1, 0.02), (0.1, 0.3), (0.7, 0.3), (-2.0, 0.3), (-2.0, 5.0), (0.7, 5.0)]
)
def test_the_window_law_is_the_truncated_normal_of_scipy(mean, std):
    half, x = 0.5, np.linspace(-0.49, 0.49, 9)
    known = truncnorm((-half - mean) / std, (half - mean) / std, loc=mean, scale=std)
    tilt, curvature = mean / std**2, 1.0 / std**2
    np.testing.assert_allclose(
        log_density(x, half, tilt, curvature), known.logpdf(x), rtol=1e-7, atol=1e-7
    )
    _, nodes, share = window_law(half, tilt, curvature)
    assert share @ nodes == pytest.approx(known.mean(), abs=1e-7)
    assert share @ nodes**2 - (share @ nodes) ** 2 == pytest.approx(known.var(), rel=1e-6)
    np.testing.assert_allclose(window_share(x, half, tilt, curvature), known.cdf(x), atol=1e-3)


def test_placement_noise_and_drift_are_recovered_from_selected_reads(wide):
    """All within 4 standard errors of the numbers that made the data."""
    _, u, level = wide
    found = [
        (level.placement, "bias", u.mean() - 10.0),
        (level.placement, "std", u.std()),
        (level.estimate, "noise_power", (Q * 10.0) ** 2),
        (level.estimate, "nu_mean", NU),
        (level.estimate, "nu_variance", NU_STD**2),
        (level.estimate, "nu_rise", 0.0),
    ]
    for estimate, name, truth in found:
        assert abs(estimate[name] - truth) < 4.0 * estimate.stderr(name), name
    assert level.estimate.converged


def test_the_fitted_law_of_the_window_is_not_rejected(wide):
    levels, _, level = wide
    assert level.p_value > 0.01
    assert kstest(levels.g_verify - 10.0, "uniform", (-0.8, 1.6)).pvalue < 1e-4


@pytest.mark.parametrize("spread", [0.7, 20.0])
def test_a_true_law_of_the_window_is_rejected_as_often_as_it_should_be(spread):
    """Of 60 campaigns 30 have p <= 0.5, give or take 3.9, and 3 p <= 0.05, give or take 1.7."""
    rng, p = np.random.default_rng(11), []
    for _ in range(60):
        levels, _ = drawn(rng, 200, spread=spread)
        p.append(window_p_value(window_of(levels, np.arange(200), INSTRUMENT, 1.0), rng, 39))
    assert 17 <= np.sum(np.array(p) <= 0.5) <= 43
    assert np.sum(np.array(p) <= 0.05) <= 8


def test_pulses_of_another_law_are_rejected():
    """Two groups of pulses, a window width apart: no normal law has a dip in the middle."""
    rng = np.random.default_rng(12)
    two = np.repeat([-0.45, 0.45], 150) + 0.12 * rng.standard_normal(300)
    levels, _ = drawn(rng, 300)
    window = window_of(replace(levels, g_verify=10.0 + two), np.arange(300), INSTRUMENT, 1.0)
    assert window_p_value(window, rng, 99) == 0.01


@pytest.mark.parametrize("spread", [0.3, 5.0])
def test_the_window_law_of_greatest_likelihood_is_that_of_a_general_optimiser(spread):
    x = drawn(np.random.default_rng(13), 400, spread=spread)[0].g_verify - 10.0
    found = minimize(
        lambda law: -log_density(x, 0.8, *law).sum(), [0.0, 1.0], method="BFGS", tol=1e-7
    )
    np.testing.assert_allclose(fit_window(x, 0.8), found.x, rtol=2e-3, atol=2e-3)


def test_rounded_reads_are_compared_with_rounded_samples():
    """Steps of a quarter of the window: D is that of the steps, 0.1, yet the law is true."""
    rng, coarse = np.random.default_rng(14), replace(INSTRUMENT, g_step=0.4)
    x = np.clip(np.round(rng.uniform(-0.8, 0.8, 400) / 0.4) * 0.4, -0.8, 0.8)
    levels = replace(drawn(rng, 400)[0], g_verify=10.0 + x)
    windows = [window_of(levels, np.arange(400), made, 1.0) for made in (coarse, INSTRUMENT)]
    assert window_p_value(windows[0], rng, 99) > 0.05
    assert window_p_value(windows[1], rng, 99) == 0.01


def test_reads_that_are_all_alike_are_no_error():
    """A converter coarser than the window."""
    levels = drawn(np.random.default_rng(15), 30)[0]
    coarse = replace(INSTRUMENT, g_step=2.0)
    window = window_of(replace(levels, g_verify=np.full(30, 10.0)), np.arange(30), coarse, 1.0)
    assert window_p_value(window, np.random.default_rng(0), 19) == 1.0


def test_the_conductance_at_t0_is_that_of_the_drifted_devices(wide):
    _, u, level = wide
    rng = np.random.default_rng(0)
    g = u * (20.0 / 1e-3) ** -rng.normal(NU, NU_STD, u.size)
    for name, value in (("g_mean", g.mean()), ("g_std", g.std())):
        assert abs(level.reference[name] - value) < 4.0 * level.reference.stderr(name)


def test_pulses_that_spread_much_wider_than_the_window_leave_the_known_spread():
    """sqrt(tau^2 / 3 + sigma_v^2), and the spread of the pulses is not identified."""
    levels, _ = drawn(np.random.default_rng(4), 2000, tolerance=0.4, spread=20.0, middle=10.0)
    fit = fit_programming(levels, INSTRUMENT, 20.0)
    (level,) = fit.levels
    expected = np.sqrt(0.4**2 / 3.0 + verify_variance(level))
    assert abs(level.placement["std"] - expected) < 3.0 * level.placement.stderr("std")
    assert fit.unidentified[0].entry == "spread of single pulses at 10 uS"
    assert not level.sees_spread


def test_a_narrow_spread_of_pulses_is_seen(wide):
    """c = 1 / (s^2 + sigma_v^2), within 4 standard errors."""
    level = wide[2]
    assert level.sees_spread
    truth = 1.0 / (0.7**2 + verify_variance(level))
    assert abs(level.estimate["curvature"] - truth) < 4.0 * level.estimate.stderr("curvature")


def test_the_accepted_reads_alone_would_mislead(wide):
    """Their spread is that of the window; the true conductances spread more."""
    levels, u, level = wide
    assert (levels.g_verify - 10.0).std() < 0.8 / np.sqrt(3.0)
    assert level.placement["std"] > u.std() - 4.0 * level.placement.stderr("std")
    assert u.std() > 1.1 * levels.g_verify.std()


def test_missing_reads_change_the_fit_by_less_than_its_error(wide):
    levels, _, level = wide
    g = np.where(np.random.default_rng(5).random(levels.g.shape) < 0.1, np.nan, levels.g)
    verify = levels.g_verify.copy()
    verify[:30] = np.nan
    fit = fit_programming(replace(levels, g=g, g_verify=verify), INSTRUMENT, 20.0)
    shift = fit.levels[0].placement["std"] - level.placement["std"]
    assert abs(shift) < 1.5 * level.placement.stderr("std")
    assert [(x.reason, x.count) for x in fit.exclusions] == [
        ("the verify read is missing at 10 uS", 30)
    ]


def test_noise_and_drift_of_other_measurements_stand_in_for_missing_later_reads(wide):
    levels, u, _ = wide
    few = replace(levels, read_after_s=levels.read_after_s[:1], g=levels.g[:, :1])
    alone = fit_programming(few, INSTRUMENT, 20.0)
    assert alone.levels == ()
    assert "tell placement from noise at 10 uS" in alone.exclusions[0].reason
    assert alone.exclusions[0].count == 3000
    noise = NoiseModel(Constant(Q), 25.0, 1.0, INSTRUMENT.t_read_s)
    known = Known(noise, Constant(NU), Constant(NU_STD))
    (level,) = fit_programming(few, INSTRUMENT, 20.0, known=known).levels
    assert level.estimate.names == ("tilt", "curvature")
    assert abs(level.placement["std"] - u.std()) < 4.0 * level.placement.stderr("std")


def test_a_read_at_zero_adds_the_probability_to_lie_below_it(wide):
    """Of one later read: ln Phi(-mean / std), the mean and the std from its own density."""
    levels, _, level = wide
    one = replace(levels, read_after_s=levels.read_after_s[:1], g=levels.g[:1, :1])
    window = window_of(one, np.array([0]), INSTRUMENT, 1.0)
    theta = level.theta * np.array([1.0, 1.0, 40.0, 1.0, 1.0, 0.0])
    theta[1] = 0.0

    def density(g):
        return log_likelihood(replace(window, floor=0.0, g=np.array([[g]])), theta)[0]

    a, b, c = (density(g) for g in (1.0, 5.0, 9.0))
    variance = -16.0 / (a - 2.0 * b + c)
    mean = 5.0 + variance * (c - a) / 8.0
    peak = density(mean) + 0.5 * np.log(2.0 * np.pi * variance)
    assert density(0.0) - peak == pytest.approx(log_ndtr(-mean / np.sqrt(variance)), rel=1e-6)


def test_what_cannot_be_fitted_is_counted_with_its_reason():
    rng = np.random.default_rng(6)
    parts = [drawn(rng, n, g, middle=g)[0] for n, g in ((400, 10.0), (19, 5.0), (50, 0.7))]
    fields = ("device", "g_target", "iterations", "converged", "g_verify", "g")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in fields}
    joined["converged"][:7] = 0
    joined["g_verify"][:7] = [3.0, 4.0, 20.0, 20.0, 20.0, np.nan, 8.0]
    fit = fit_programming(replace(parts[0], **joined), INSTRUMENT, 20.0)
    assert [(x.reason, x.count) for x in fit.exclusions] == [
        ("the window reaches zero, so that RESET is accepted as well, at 0.7 uS", 50),
        ("fewer than 20 accepted devices at 5 uS", 19),
        ("programming did not converge at 10 uS", 7),
    ]
    (level,) = fit.levels
    assert (level.devices, level.accepted) == (400, 393)
    assert (level.above, level.below, level.unread) == (3, 3, 1)
    assert level.window.x.size == 393
    assert level.pulses["never"] == pytest.approx(7 / 400, abs=1e-9)


def test_errors_count_devices():
    """Half the devices, errors larger by the root of two, to 20 % with 1500 devices."""
    levels, _ = drawn(np.random.default_rng(8), 1500)
    fields = ("device", "g_target", "iterations", "converged", "g_verify", "g")
    half = replace(levels, **{name: getattr(levels, name)[::2] for name in fields})
    all_of, some_of = (fit_programming(x, INSTRUMENT, 20.0).levels[0] for x in (levels, half))
    ratio = some_of.placement.stderrs / all_of.placement.stderrs
    np.testing.assert_allclose(ratio, np.sqrt(2.0), rtol=0.2)


@pytest.mark.parametrize(("dispersion", "never"), [(1.0, 0.05), (0.4, 0.0), (3.0, 0.02)])
def test_iterations_give_mean_dispersion_and_share_of_stuck_devices(dispersion, never):
    """Within 4 standard errors, with a limit that some working devices reach as well."""
    rng, n, limit = np.random.default_rng(9), 6000, 15
    size = 1.0 / dispersion
    k = 1 + nbinom.rvs(size, size / (size + 3.0), size=n, random_state=rng)
    done = (k <= limit) & (rng.random(n) >= never)
    found = fit_iterations(np.where(done, k, limit), done, limit)
    assert found.converged
    for name, truth in (("iterations", 4.0), ("dispersion", dispersion), ("never", never)):
        assert abs(found[name] - truth) <= 4.0 * found.stderr(name) + 1e-12, name


def test_pulses_that_all_succeed_at_once_need_no_law():
    found = fit_iterations(np.ones(50, np.int64), np.ones(50, bool), 30)
    assert found.values.tolist() == [1.0, 0.0, 0.0]


def test_an_optimum_that_is_none_says_so():
    """A likelihood that only falls off one way has no optimum."""
    found = maximise(lambda p: np.full(30, p[0]), np.zeros(1), np.ones(1), ("a",))
    assert not found.converged
    assert found.message.startswith("no optimum")


def test_noise_and_drift_agree_with_a_set_only_if_they_are_those_of_the_set():
    levels, _ = drawn(np.random.default_rng(10), 1500, q=0.022)  # Q of the set at 6.1 uS
    fit = fit_programming(levels, INSTRUMENT, 20.0)
    by_name = {x.quantity: x for x in agreements(fit, VALUES)}
    assert len(by_name) == 3
    assert all(x.agrees for x in by_name.values() if x.must)
    assert not by_name["spread at t0 [uS]"].must
    other = replace(fit, levels=(replace(fit.levels[0], g_target=20.0),))
    assert not agreements(other, VALUES)[0].agrees
