"""Placement is recovered, with honest errors, at 120 levels of the law and 160 of the loop."""

from dataclasses import replace

import numpy as np
import pytest
from campaigns import DEFAULT, NOTHING, VALUES
from programmed import INSTRUMENT, drawn

from pcmsim.calibration.noise_model import NoiseModel
from pcmsim.calibration.programming import fit_programming
from pcmsim.calibration.programming_goodness import window_p_value
from pcmsim.calibration.programming_level import Known, window_of
from pcmsim.calibration.records import ProgrammedLevels
from pcmsim.calibration.virtual.levels import closed_loop, later_reads
from pcmsim.calibration.virtual.reading import Reader, instrument_record, values_as_read
from pcmsim.config import build_plan
from pcmsim.devices import conductance, manufacture
from pcmsim.rng import key, stream

TARGETS = (3.0, 6.0, 10.0, 15.0)


def looped(seed, plan):
    """Levels that the loop of the simulator wrote, and true moments at verify and at t0."""
    values, n = values_as_read(DEFAULT, plan.instrument), plan.levels.devices_per_level
    parts, truths = [], []
    for i, g_target in enumerate(plan.levels.targets):
        rng = stream(seed, "levels", i)
        reader = Reader(
            values, plan.instrument, key(seed, "noise", i), stream(seed, "level reads", i)
        )
        state = manufacture(values, (n,), rng, np.float64)
        found = closed_loop(values, plan.levels, state, g_target, reader, rng)
        g = later_reads(found, reader, plan.levels.read_after_s)
        done = found.converged & (found.state.fault == 0)
        state = replace(found.state, programmed_at_s=0.0)
        u, g0 = (conductance(values, state, t)[done] for t in (plan.levels.verify_after_s, 20.0))
        errors = np.array([u.std(), u.std() / 2**0.5, g0.std(), g0.std() / 2**0.5])
        moments = [u.mean() - g_target, u.std(), g0.mean(), g0.std()]
        truths.append([moments, errors / np.sqrt(u.size)])
        parts.append((found, g))
    levels = ProgrammedLevels(
        device=np.arange(n * len(parts)),
        g_target=np.repeat(plan.levels.targets, n),
        iterations=np.concatenate([found.iterations for found, _ in parts]),
        converged=np.concatenate([found.converged for found, _ in parts]).astype(int),
        tolerance=plan.levels.tolerance_us,
        verify_after_s=plan.levels.verify_after_s,
        g_verify=np.concatenate([found.g_verify for found, _ in parts]),
        read_after_s=np.asarray(plan.levels.read_after_s),
        g=np.concatenate([g for _, g in parts]),
    )
    return levels, np.array(truths)


def report(name, found, stderr, truth, truth_stderr=0.0):
    """Coverage and bias of one quantity; the bias in standard errors of mean and truth."""
    inside = np.abs(found - truth) < 1.96 * stderr
    off = found - truth
    bias = off.mean() / np.hypot(off.std(ddof=1) / np.sqrt(off.size), truth_stderr)
    print(f"{name:28} coverage {inside.mean():.3f}  bias {bias:+.1f} se, "  # noqa: T201
          f"{off.mean():+.4f} uS  s.e. {stderr.mean():.4f} uS")  # fmt: skip
    return inside, bias


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_levels_drawn_from_the_law_are_recovered():
    """120 levels of 500 devices; truth from two million: 90 to 99 % covered, bias below 3."""
    rng = np.random.default_rng(20)
    _, u = drawn(rng, 2_000_000)
    truth = np.array([u.mean() - 10.0, u.std()])
    rows = []
    for _ in range(120):
        (level,) = fit_programming(drawn(rng, 500)[0], INSTRUMENT, 20.0).levels
        assert level.estimate.converged
        rows.append([level.placement.values, level.placement.stderrs])
    found, stderr = np.array(rows)[:, 0], np.array(rows)[:, 1]
    for k, name in enumerate(("bias", "std")):
        inside, bias = report(name, found[:, k], stderr[:, k], truth[k])
        assert 0.90 <= inside.mean() <= 0.99
        assert abs(bias) < 3.0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("spread", [0.7, 20.0])
def test_a_true_window_is_rejected_as_often_as_the_level_says(spread):
    """200 levels of 500 devices: 5 % give or take 1.5, so 4 errors are 11 %."""
    rng, p = np.random.default_rng(1 if spread < 1.0 else 2), []
    for _ in range(200):
        levels, _ = drawn(rng, 500, spread=spread)
        p.append(window_p_value(window_of(levels, np.arange(500), INSTRUMENT, 1.0), rng))
    p = np.array(p)
    print(f"{spread:4} uS: p <= 0.05 in {np.mean(p <= 0.05):.3f}, mean {p.mean():.2f}")  # noqa: T201
    assert 0.0 < np.mean(p <= 0.05) < 0.11
    assert abs(p.mean() - 0.5) < 4.0 * np.sqrt(1.0 / 12.0 / 200.0)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_levels_that_the_loop_of_the_simulator_wrote_are_recovered():
    """40 campaigns of four levels of 500 devices, against the true conductances of a large one.

    The law of the read noise is given, as in a calibration; each level fits its own noise power.
    Coverage of each quantity over all levels 90 to 99 %. Bias of each below 3 standard errors of
    the mean at the levels whose window is narrow, +-13 % and less; below one standard error of a
    single level at 3 uS, where the window is +-27 %.
    """
    sections = {"targets": TARGETS, "devices_per_level": 100_000}
    large = looped(99, build_plan(NOTHING | {"levels": sections}))[1]
    plan = build_plan(NOTHING | {"levels": sections | {"devices_per_level": 500}})
    noise = NoiseModel(VALUES.read_noise, VALUES.g_max, 1.0, plan.instrument.t_read_s)
    known = Known(noise, VALUES.nu_mean, VALUES.nu_std)
    found, stderr = [], []
    for seed in range(40):
        levels, _ = looped(seed, plan)
        fit = fit_programming(levels, instrument_record(plan.instrument, ""), 20.0, known=known)
        assert all(level.estimate.converged for level in fit.levels)
        both = [(level.placement, level.reference) for level in fit.levels]
        found.append([np.append(a.values, b.values) for a, b in both])
        stderr.append([np.append(a.stderrs, b.stderrs) for a, b in both])
    covered, biases, offs = [], [], []
    for q, name in enumerate(("bias", "std", "mean at t0", "std at t0")):
        for k, g_target in enumerate(TARGETS):
            pair = (np.array(x)[:, k, q] for x in (found, stderr))
            estimate, error = pair
            where, truth = f"{name} at {g_target:g} uS", large[k, :, q]
            inside, bias = report(where, estimate, error, *truth)
            covered.append(inside)
            biases.append(abs(bias))
            offs.append(abs(estimate.mean() - truth[0]) / error.mean())
    by_quantity = np.mean(covered, axis=1).reshape(4, len(TARGETS))
    assert by_quantity.mean(axis=1).min() >= 0.90
    assert by_quantity.mean(axis=1).max() <= 0.99
    narrow = np.tile(np.array(TARGETS) > 5.0, 4)
    assert np.array(biases)[narrow].max() < 3.0
    assert np.array(offs)[~narrow].max() < 1.0
