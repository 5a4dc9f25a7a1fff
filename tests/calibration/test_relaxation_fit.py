"""Relaxation: truths recovered from simulated devices, and 16,000 measured cells."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from pcmsim.calibration.calibrate import Choices, refuse
from pcmsim.calibration.placement import fit_placement
from pcmsim.calibration.records import Campaign, DriftTraces, Instrument, YieldMap
from pcmsim.calibration.relaxation import FORMS, fit_relaxation
from pcmsim.calibration.relaxation_check import check_relaxation
from pcmsim.calibration.relaxation_memory import correlation, fit_memory
from pcmsim.calibration.relaxation_model import Form, Likelihood
from pcmsim.calibration.relaxation_set import calibrate_relaxation
from pcmsim.devices import conductance, manufacture, parameter_set_text, program
from pcmsim.devices.params import ParameterSet, load_parameter_set
from pcmsim.devices.relaxation_law import Relaxation
from pcmsim.errors import DataError
from pcmsim.measurements import load_columns, read_table
from pcmsim.rng import stream

TIMES = np.array([1e-3, 0.011, 0.101, 1.001, 10.0, 1e5])
TRUTH = Relaxation(
    0.05, 6.0, 8.0, (0.5, -1.0), (0.9, -0.3), (-0.2, 0.4), (0.1,), (0.0, 0.4), (0.1,), 0.85, 2e-3
)
INSTRUMENT = Instrument(t_read_s=1e-4)


def traces(seed, n=400, truth=TRUTH, missing=0.05):
    """Reads of devices that follow `truth`, with deviates that remember as it says."""
    rng = stream(seed, "relaxing")
    targets = np.repeat(np.linspace(1.0, 25.0, 9), n)
    first = np.maximum(targets + 0.3 * rng.standard_normal(targets.size), 0.05)
    later = TIMES[1:] - TIMES[0]
    memory = np.eye(later.size)
    for i, early in enumerate(later):
        for j in range(i + 1, later.size):
            memory[i, j] = memory[j, i] = correlation(
                truth.persistence, truth.memory_s, early, later[j]
            )
    z = rng.multivariate_normal(np.zeros(later.size), memory, targets.size)
    g = np.column_stack(
        [first, *(truth.relaxed(first, 25.0, t, z[:, k]) for k, t in enumerate(later))]
    )
    g[:, 1:][rng.random((targets.size, later.size)) < missing] = np.nan
    count = np.arange(targets.size)
    whole = np.ones(targets.size, bool)
    return DriftTraces(count, np.zeros_like(count), targets, whole, TIMES, g)


@pytest.fixture(scope="module")
def fit():
    return fit_relaxation((traces(0),), INSTRUMENT, 25.0)


def test_the_law_is_recovered_as_distributions_within_its_errors(fit):
    assert fit.estimate.converged
    for t_s in (0.1, 1e5):
        for g in (2.0, 12.0, 24.0):
            z = np.array([-1.5, 0.0, 1.5])
            start = np.full(3, g)
            found = fit.law.relaxed(start, 25.0, t_s, z)
            truth = TRUTH.relaxed(start, 25.0, t_s, z)
            spread = truth[2] - truth[0]
            # 400 devices a level, all levels together: 3 % of the spread are about 4 errors.
            assert found == pytest.approx(truth, abs=0.05 * spread)


def test_memory_is_recovered_within_four_standard_errors(fit):
    found = fit.memory.estimate
    assert abs(found["persistence"] - 0.85) < 4.0 * found.stderr("persistence")
    assert abs(found["ln memory"] - np.log(2e-3)) < 4.0 * found.stderr("ln memory")


def test_simpler_forms_lose_on_devices_they_were_not_fitted_to(fit):
    scores = dict(zip(fit.forms, fit.scores, strict=True))
    assert scores["symmetric"] < -10.0
    assert scores[fit.form.name] > -10.0
    assert fit.form.name in ("skewed", "skewed, more levels")


def test_a_symmetric_truth_keeps_a_form_without_more_skew():
    plain = replace(TRUTH, skew=(0.0,), skew_growth=(0.0,))
    found = fit_relaxation((traces(1, 200, plain),), INSTRUMENT, 25.0)
    assert found.form.name in ("one shape", "symmetric")


def test_held_out_devices_of_a_true_model_are_rejected_at_the_nominal_rate(fit):
    check = check_relaxation(fit, fit_placement(fit.traces))
    rejected = np.mean([found.rejected(0.05) for found in check.levels])
    # 45 comparisons, five of a level dependent: 5 % within 3 errors of at most 9 independent ones.
    assert rejected < 0.05 + 3.0 * np.sqrt(0.05 * 0.95 / 9)
    assert len(check.levels) == 9 * 5
    assert not [fault for level in check.moments for fault in level.faults()]


@pytest.mark.slow
def test_intervals_cover_the_truth_and_estimates_are_unbiased():
    """Sixty campaigns; coverage of the fitted form's 95 % intervals, pooled over parameters."""
    form = replace(FORMS[2], scale=1, growth=1, tail=1, tail_growth=0, skew=1, skew_growth=0)
    truth = [np.log(0.05), np.log(6.0), np.log(8.0), 0.5, -1.0, 0.9, -0.3, -0.2, 0.4, 0.1]
    truth += [0.0, 0.4, 0.1]
    scores = []
    for seed in range(60):
        found = fit_relaxation((traces(seed, 300),), INSTRUMENT, 25.0, (form,)).estimate
        scores.append((found.values - truth) / found.stderrs)
    inside = np.abs(np.array(scores)) < 1.96
    sys.stdout.write(f"{inside.mean(axis=0).round(3)} {np.mean(scores, axis=0).round(2)}\n")
    assert 0.92 < inside.mean() < 0.98
    assert np.all(inside.mean(axis=0) > 0.85)


def test_a_set_is_made_whose_devices_relax_like_the_data(fit, tmp_path):
    part = traces(0)
    campaign = Campaign(INSTRUMENT, drift=(part,), law="relaxation")
    made = calibrate_relaxation(campaign, Choices("relaxing", base="ideal", g_max=25.0))
    refuse(made)
    path = tmp_path / "relaxing.yaml"
    path.write_text(parameter_set_text(made.parameter_set))
    loaded = load_parameter_set(path)
    assert isinstance(loaded, ParameterSet)
    assert loaded == made.parameter_set
    values, n = loaded.values, 20_000
    state = manufacture(values, (n,), stream(0, "make"))
    state = program(values, state, np.full(n, 13.0, np.float32), 0.0, stream(0, "write"))
    for k in (2, 5):
        g = conductance(values, state, float(TIMES[k] - TIMES[0]))
        level = part.g[np.isclose(part.g_target, 13.0), k]
        level = level[~np.isnan(level)]
        assert abs(g.mean() - level.mean()) < 5.0 * level.std() / np.sqrt(level.size)
        assert g.std() == pytest.approx(level.std(), rel=0.25)


def test_memory_that_pairs_of_times_do_not_tell_is_not_made_up():
    z = np.random.default_rng(0).standard_normal((500, 3))
    times, device = np.array([1.0, 10.0, 1e4]), np.arange(500)
    assert fit_memory(np.where(np.eye(3, dtype=bool)[device % 3], z, np.nan), times, device) is None
    white = fit_memory(z, times, device)
    assert white.estimate.names == ("persistence",)
    assert white.estimate["persistence"] < 4.0 * white.estimate.stderr("persistence")
    single = fit_memory(z[:, :2], times[:2], device)
    assert single.estimate.names == ("persistence",)


def test_errors_of_independent_devices_are_those_of_the_curvature():
    """One later time: rows are independent, and the sandwich is the inverse of the information."""
    part = traces(3, 300)
    alone = replace(part, t_s=part.t_s[[0, 4]], g=part.g[:, [0, 4]])
    form = Form("flat", 1, None, 0, None, 0, None)
    found = fit_relaxation((alone,), INSTRUMENT, 25.0, (form,))
    reads = found.traces.reads(found.g_low)
    scores = Likelihood(form, reads, 25.0).scores(found.estimate.values)
    told = [found.estimate.names.index(f"{block}[0]") for block in ("scale", "tail", "skew")]
    outer = np.sqrt(np.diag(np.linalg.pinv(scores.T @ scores, hermitian=True)))
    assert found.estimate.stderrs[told] == pytest.approx(outer[told], rel=0.25)


def _made(part, **more):
    campaign = Campaign(INSTRUMENT, drift=(part,), law="relaxation", **more)
    return calibrate_relaxation(campaign, Choices("relaxing", base="ideal", g_max=25.0))


def test_a_set_that_misses_its_targets_is_refused():
    part = traces(0, 150)
    shifted = replace(part, g_target=np.maximum(part.g_target - 3.0, 0.0))
    with pytest.raises(DataError, match=r"does not reproduce its own data: .* the mean is"):
        refuse(_made(shifted))


@pytest.mark.slow
def test_devices_of_two_kinds_are_refused():
    """Half of the devices stay, the others lose 4 µS at once: no law of the family does both."""
    part = traces(0, 150)
    part.g[:, 1:] = part.g[:, :1] - 4.0 * (part.device % 2)[:, None]
    part.g[:, 1:] += 0.02 * np.random.default_rng(0).standard_normal(part.g[:, 1:].shape)
    part.g[:] = np.maximum(part.g, 0.0)
    with pytest.raises(DataError, match=r"does not (reproduce its own data|fit)"):
        refuse(_made(part))


def test_one_target_is_enough():
    part = traces(4, 400)
    rows = np.isclose(part.g_target, 13.0)
    one = DriftTraces(
        *(getattr(part, f)[rows] for f in ("device", "programming", "g_target", "converged")),
        TIMES,
        part.g[rows],
    )
    found = fit_relaxation((one,), INSTRUMENT, 25.0)
    assert found.estimate.converged
    assert not [name for name in found.estimate.names if name.endswith("[1]")]


def test_a_set_that_nothing_can_test_is_refused():
    part = traces(0, 12)
    made = _made(replace(part, g=np.where(np.arange(6) % 5 == 0, part.g, np.nan)))
    assert made.faults


def test_few_devices_a_target_are_tested_in_groups():
    made = _made(traces(0, 60))
    assert made.relaxation_check.levels == ()
    assert len(made.relaxation_check.groups) == 2 * 5
    assert made.faults == ()


def test_targets_above_the_given_largest_and_other_measurements_are_counted():
    part = traces(0, 60)
    yields = YieldMap(*(np.arange(3) for _ in range(6)))
    made = _made(replace(part, g_target=part.g_target * 1.04), yields=yields)
    assert {(x.dataset, x.count) for x in made.exclusions} == {("drift", 60), ("yields", 3)}
    assert made.relaxation.traces.device.size == 8 * 60


def test_placement_is_that_of_converged_devices():
    part = traces(0, 60)
    part.g[::7] *= 0.5
    part.converged[::7] = False
    fit = fit_relaxation((part,), INSTRUMENT, 25.0, FORMS[:1])
    assert np.abs(fit_placement(fit.traces).std - 0.3).max() < 0.12


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: replace(p, t_s=p.t_s[:1], g=p.g[:, :1]), "one time only"),
        (lambda p: replace(p, g=np.where(np.arange(6) == 0, np.nan, p.g)), "0 devices"),
    ],
)
def test_traces_that_cannot_be_used_are_refused_in_one_line(change, words):
    with pytest.raises(DataError, match=words) as caught:
        fit_relaxation((change(traces(0, 20)),), INSTRUMENT, 25.0)
    assert "\n" not in str(caught.value)


def test_devices_without_a_first_read_are_counted():
    part = traces(0, 40)
    part.g[:7, 0] = np.nan
    found = fit_relaxation((part,), INSTRUMENT, 25.0, FORMS[:1])
    assert [(e.count, e.rows) for e in found.exclusions] == [(7, tuple(range(7)))]


@pytest.mark.data
@pytest.mark.slow
def test_sixteen_thousand_measured_cells_do_not_reject_the_law(data_folder, tmp_path):
    """32 levels at five times; the map is the one of docs/measurement-format.md."""
    table = data_folder / "devices" / "rram_relax_techC" / "model.tsv"
    docs = Path(__file__).resolve().parents[2] / "docs" / "measurement-format.md"
    maps = docs.read_text().split("# github.com/akashlevy")[1].split("---")[0]
    columns = tmp_path / "map.yaml"
    columns.write_text(maps[maps.index("\n") :])
    assert yaml.safe_load(columns.read_text())["kind"] == "relaxation"
    campaign = read_table(table, load_columns(columns))
    assert campaign.law == "relaxation"
    fit = fit_relaxation(campaign.drift, campaign.instrument)
    check = check_relaxation(fit, fit_placement(fit.traces))
    levels = check.levels
    assert len(levels) >= 32 * 5
    assert np.mean([found.rejected() for found in levels]) < 0.2
    assert np.mean([found.rejected() for found in check.groups]) < 0.2
    assert not [fault for level in check.moments for fault in level.faults()]
