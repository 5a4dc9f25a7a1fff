"""Pulse response: recovered truths, read noise apart from increments, errors that cover."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from pcmsim.calibration.records import SetStaircases
from pcmsim.calibration.response import fit_response
from pcmsim.calibration.response_check import check_response, simulate_ramps
from pcmsim.calibration.response_kernel import filtered
from pcmsim.calibration.response_ramps import sort_ramps
from pcmsim.calibration.response_table import tabulate_response
from pcmsim.devices.pulse_laws import Accumulation
from pcmsim.errors import DataError, UsageError

READ = 0.4
# Soft bounds: increments fall from 1 µS at 10 µS to zero at 60 µS.
BOUND = Accumulation(-0.02, 1.2, 0.0, 0.0, 0.3, 0.0, 1.0)
REMEMBERED = Accumulation(-0.01, 0.8, 1.5, 0.0, 0.3, 0.0, 6.0)


def ramps(law, devices, cycles, pulses, rng, read_std=READ, device_std=0.0, reads=1):
    """Ramps from about 10 µS, read after each pulse; a twentieth of the reads is missing."""
    n = devices * cycles
    device, cycle = np.repeat(np.arange(devices), cycles), np.tile(np.arange(cycles), devices)
    factor = np.exp(device_std * rng.standard_normal(devices))[device]
    g = np.empty((n, pulses + 1))
    g[:, 0] = rng.normal(10.0, 1.0, n)
    for p in range(1, pulses + 1):
        mean, std = law(g[:, p - 1], np.full(n, float(p)))
        g[:, p] = g[:, p - 1] + factor * mean + std * rng.standard_normal(n)
    read = g[:, :, None] + read_std * rng.standard_normal((n, pulses + 1, reads))
    read[:, 1:][rng.random((n, pulses, reads)) < 0.05] = np.nan
    return SetStaircases(device, cycle, np.arange(1.0, reads + 1.0), 10.0, read)


def z_scores(estimate, truth):
    return {name: (estimate[name] - value) / estimate.stderr(name) for name, value in truth.items()}


def test_fit_recovers_soft_bounds_and_read_noise_within_four_standard_errors():
    fit = fit_response(ramps(BOUND, 1, 20, 60, np.random.default_rng(1)))
    assert (fit.form, fit.unit, fit.rises) == ("soft bounds", "ramps", True)
    truth = {"mean_slope": -0.02, "mean_offset": 1.2, "read_std_us": READ}
    assert max(map(abs, z_scores(fit.estimate, truth).values())) < 4.0
    assert fit.estimate.stderr("mean_slope") < 0.001
    assert fit.innovation_std == pytest.approx(1.0, abs=0.04)


def test_the_filter_gives_the_exact_likelihood_of_a_linear_law():
    """Against the joint normal density of all reads, given the first, written out in full."""
    slope, offset, std, read, p = -0.3, 4.0, 0.5, 0.8, 12
    law = Accumulation(slope, offset, 0.0, 0.0, std, 0.0, 1.0)
    g = np.random.default_rng(0).normal(13.0, 1.0, (1, p + 1, 2))
    g[0, 5], g[0, 8, 1], g[0, 0, 1] = np.nan, np.nan, np.nan
    gain, _ = filtered(g, np.ones(1, int), law.coefficients(), read, 0.0)
    powers = (1.0 + slope) ** np.arange(p + 1)
    mean = powers * g[0, 0, 0] + offset * (1.0 - powers) / -slope
    step = np.tril([[powers[max(i - j, 0)] for j in range(p + 1)] for i in range(p + 1)])
    drive = np.diag([read**2] + [std**2] * p)
    state = step @ drive @ step.T
    reads = np.argwhere(np.isfinite(g[0]))[1:]
    covariance = state[np.ix_(reads[:, 0], reads[:, 0])] + read**2 * np.eye(len(reads))
    found = g[0][reads[:, 0], reads[:, 1]]
    exact = multivariate_normal(mean[reads[:, 0]], covariance).logpdf(found)
    assert gain.sum() == pytest.approx(exact, rel=1e-10)


def test_fit_recovers_the_memory_and_the_spread_of_many_devices():
    rng = np.random.default_rng(2)
    fit = fit_response(ramps(REMEMBERED, 60, 1, 50, rng, device_std=0.2))
    assert (fit.form, fit.unit) == ("soft bounds with memory", "devices")
    truth = {
        "mean_slope": -0.01,
        "mean_memory": 1.5,
        "memory_pulses": 6.0,
        "read_std_us": READ,
        "set_device_std": 0.2,
    }
    assert max(map(abs, z_scores(fit.estimate, truth).values())) < 4.0
    assert fit.estimate.stderr("set_device_std") < 0.06


def test_regression_of_increments_on_reads_is_biased_where_the_fit_is_not():
    walk = Accumulation(-0.1, 2.0, 0.0, 0.0, 0.3, 0.0, 1.0)
    data = ramps(walk, 1, 12, 60, np.random.default_rng(3), read_std=1.0)
    before, step = data.g[:, :-1, 0], np.diff(data.g[:, :, 0], axis=1)
    use = np.isfinite(before) & np.isfinite(step)
    naive = float(np.polyfit(before[use], step[use], 1)[0])
    fit = fit_response(data)
    assert abs(z_scores(fit.estimate, {"mean_slope": -0.1})["mean_slope"]) < 4.0
    assert abs(naive + 0.1) > 6.0 * fit.estimate.stderr("mean_slope")


def test_covariance_of_successive_increments_tells_the_read_noise():
    table = tabulate_response(sort_ramps(ramps(BOUND, 1, 40, 100, np.random.default_rng(4))))
    assert table.read_std == pytest.approx(READ, abs=0.03)  # about four standard errors
    assert table.std_pulse == pytest.approx(np.sqrt(0.3**2 + 2.0 * READ**2), rel=0.04)


@pytest.mark.parametrize("reads", [4, 16])
def test_a_true_law_is_not_rejected_for_means_of_several_reads(reads):
    """Read noise four times the increments; 0.6 of 60 pulses are expected at 1 %."""
    law = Accumulation(0.0, 0.5, 0.0, 0.0, 0.1, 0.0, 1.0)
    data = ramps(law, 1, 60, 60, np.random.default_rng(13), reads=reads)
    fit = fit_response(data, ("constant",))
    check = check_response(fit, fit.ramps, np.random.default_rng(0))
    assert len(check.rejected) <= 3
    # Each spread of sixty ramps is known to 9 %, their mean to 1.2 %; read noise was 2.4 times it.
    ratio = check.std / check.std_predicted
    assert ratio.mean() == pytest.approx(1.0, abs=0.05)


def test_the_covariance_of_increments_of_means_tells_the_noise_of_one_read():
    """σ_r = 0.4, with some reads missing; 4000 products of increments, about four errors."""
    data = ramps(BOUND, 1, 40, 100, np.random.default_rng(14), reads=4)
    table = tabulate_response(sort_ramps(data))
    assert 3.7 < table.reads < 4.0
    assert table.read_std == pytest.approx(READ, abs=0.05)


def test_two_reads_after_a_pulse_tell_the_read_noise_more_sharply():
    one, two = (
        fit_response(ramps(BOUND, 1, 10, 30, np.random.default_rng(5), reads=reads)).estimate
        for reads in (1, 2)
    )
    assert two.stderr("read_std_us") < 0.8 * one.stderr("read_std_us")
    assert abs(two["read_std_us"] - READ) < 4.0 * two.stderr("read_std_us")


def test_a_falling_branch_is_the_mirror_image_of_a_rising_one():
    data = ramps(BOUND, 1, 10, 30, np.random.default_rng(6))
    up, down = fit_response(data), fit_response(replace(data, g=100.0 - data.g))
    assert up.form == down.form
    assert not down.rises
    assert down.estimate["mean_slope"] == pytest.approx(up.estimate["mean_slope"], rel=1e-3)
    assert down.table.mean_all == pytest.approx(-up.table.mean_all, rel=1e-9)


def test_a_single_ramp_has_errors_from_blocks_and_says_so():
    fit = fit_response(ramps(BOUND, 1, 1, 400, np.random.default_rng(7)))
    assert fit.unit == "blocks of pulses"
    assert fit.estimate.n == 25
    assert abs(fit.estimate["read_std_us"] - READ) < 4.0 * fit.estimate.stderr("read_std_us")


def test_one_wild_read_moves_the_law_by_less_than_two_standard_errors():
    data = ramps(BOUND, 1, 12, 40, np.random.default_rng(8))
    clean = fit_response(data, ("soft bounds",)).estimate
    data.g[3, 20] = data.g[3, 19] - 15.0
    wild = fit_response(data, ("soft bounds",))
    assert wild.jumps >= 1
    for name in ("mean_slope", "mean_offset"):
        assert abs(wild.estimate[name] - clean[name]) < 2.0 * clean.stderr(name)
    # A normal likelihood would add 15² / 480: the read noise would be 0.8 µS.
    assert wild.estimate["read_std_us"] < 1.3 * clean["read_std_us"]


def test_an_unknown_form_is_refused():
    with pytest.raises(UsageError, match="forms cubic: known are constant, soft bounds"):
        fit_response(ramps(BOUND, 1, 12, 40, np.random.default_rng(8)), ("cubic",))


@pytest.mark.slow
def test_a_form_with_more_parameters_is_seldom_taken():
    """Two standard errors: less than a tenth of 40 campaigns, four, are expected."""
    found = [
        fit_response(ramps(BOUND, 1, 20, 50, np.random.default_rng(2000 + seed))).form
        for seed in range(40)
    ]
    print(sorted({(form, found.count(form)) for form in found}))  # noqa: T201
    assert found.count("soft bounds") >= 34


def test_simulated_ramps_are_not_told_from_those_that_were_held_out():
    rng = np.random.default_rng(9)
    data = ramps(BOUND, 1, 60, 40, rng)
    first = data.cycle % 2 == 0
    half, rest = (
        SetStaircases(data.device[m], data.cycle[m], data.read_after_s, 10.0, data.g[m])
        for m in (first, ~first)
    )
    check = check_response(fit_response(half), sort_ramps(rest), rng)
    assert len(check.increments) == 40
    assert len(check.rejected) <= 3  # 0.4 of 40 expected at 1 %
    assert check.faults() == ()


def test_the_check_finds_a_wrong_law():
    rng = np.random.default_rng(10)
    fit = fit_response(ramps(BOUND, 1, 24, 30, rng))
    wrong = replace(fit, law=replace(BOUND, mean_offset=1.5))
    check = check_response(wrong, fit.ramps, rng)
    assert len(check.rejected) > 10
    assert "the set gives" in check.faults()[0]


def test_simulated_ramps_stay_in_the_range_that_was_read():
    fit = fit_response(ramps(BOUND, 1, 10, 30, np.random.default_rng(11)))
    once = np.ones((500, 301), dtype=int)
    made = simulate_ramps(fit, np.full(500, 10.0), once, np.random.default_rng(0))
    highest = fit.ramps.range_us[1]
    assert highest < made.max() < highest + 6.0 * fit.estimate["read_std_us"]


@pytest.mark.parametrize(
    ("g", "message"),
    [
        (np.ones((3, 5, 1)), "12 increments between reads; 30 are needed"),
        (np.ones((3, 50, 1)), "every read is 1 uS"),
    ],
)
def test_ramps_that_tell_nothing_are_refused(g, message):
    with pytest.raises(DataError, match=message):
        fit_response(SetStaircases(np.zeros(3, int), np.arange(3), np.ones(1), 1.0, g))


def test_ramps_without_reads_are_left_out_and_counted():
    data = ramps(BOUND, 1, 12, 40, np.random.default_rng(12))
    data.g[5] = np.nan
    found = sort_ramps(data)
    assert found.g.shape[0] == 11
    assert (found.exclusions[0].count, found.exclusions[0].rows) == (1, (5,))


@pytest.mark.slow
def test_intervals_cover_the_truth_over_two_hundred_campaigns():
    """95 % intervals of 200 campaigns of 20 ramps; 0.90 is three standard errors below 0.95."""
    truth = {"mean_slope": -0.02, "mean_offset": 1.2, "read_std_us": READ}
    inside, z = dict.fromkeys(truth, 0), {name: [] for name in truth}
    for seed in range(200):
        data = ramps(BOUND, 1, 20, 50, np.random.default_rng(1000 + seed))
        fit = fit_response(data, ("soft bounds",))
        for name, value in truth.items():
            low, high = fit.estimate.interval(name)
            inside[name] += low <= value <= high
            z[name].append((fit.estimate[name] - value) / fit.estimate.stderr(name))
    for name, count in inside.items():
        print(f"{name}: coverage {count / 200:.3f}, mean z {np.mean(z[name]):+.2f}")  # noqa: T201
        assert 0.90 <= count / 200 <= 0.995
        assert abs(np.mean(z[name])) < 4.0 * np.std(z[name]) / np.sqrt(200)
