"""Known functions of the factors stand in for chips; their indices are known."""

import numpy as np
import pytest

from pcmsim.config import Sensitivity, build_study
from pcmsim.errors import UsageError
from pcmsim.studies import Lived, Outcome, open_units, work_through
from pcmsim.studies.indices import (
    frame,
    nominal_mean,
    one_at_a_time,
    responses,
    sobol_indices,
)
from pcmsim.studies.pool import Here
from pcmsim.studies.sensitivity import design_of, units_of_design
from pcmsim.studies.variation import number_of

NAMES = ("programming_std", "nu_mean", "read_noise")
STEP = 0.2


def design(samples=64, chips=4, parameters=NAMES, seed=0):
    settings = Sensitivity(parameters=parameters, step=STEP, chips=chips, samples=samples)
    return design_of(settings, seed)


def centred(x):
    """Factors as numbers from -1 to 1."""
    return (x - 1.0) / STEP


def metric_of(plan, function):
    """Metric (chips, points) of `function(u, chip)`."""
    u = centred(plan.factors)
    return np.array([function(u, chip) * np.ones(len(u)) for chip in range(plan.chips)])


def worker(plan, function):
    """What `run_unit` would do, if chips were `function`."""

    def work(unit, materials, recent=None):
        lived = {}
        for life in unit.lives:
            u = centred(plan.factors[[number_of(life.devices)]])
            value = float(np.squeeze(function(u, unit.chip)))
            metric = np.array([[[value, 2.0 * value]]])
            costs = [np.zeros(shape, np.int64) for shape in ((1, 1, 4), (1, 4), (1, 4))]
            lived[life] = Lived(metric, *costs)
        return Outcome(lived, {})

    return work


def linear(u, chip):
    return 10.0 * chip + u @ np.array([3.0, 2.0, 0.0])


def near(found, truth):
    """Within three standard errors; a half-width is 1.96 of them."""
    for part in ("first", "total"):
        wide = np.maximum(np.array(found[f"{part}_half_width"]), 1e-3)
        off = np.abs(np.array(found[part]) - truth[part]) / wide
        assert np.all(off < 3 / 1.96), (part, found[part])


def test_indices_of_ishigami_are_the_known_ones():
    """Ishigami & Homma 1990, a = 7, b = 0.1: indices in closed form."""

    def ishigami(u, chip):
        x = np.pi * u
        return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])

    plan = design(samples=2048)
    found = sobol_indices(plan, metric_of(plan, ishigami), STEP, 0)
    near(found, {"first": [0.3139, 0.4424, 0.0], "total": [0.5576, 0.4424, 0.2437]})
    assert max(found["first_half_width"] + found["total_half_width"]) < 0.12
    assert found["variance"] == pytest.approx(13.8446, rel=0.03)
    assert (found["samples"], found["evaluations"]) == (2048, 2048 * 5)


def test_indices_of_a_linear_function_are_shares_of_its_variance():
    plan = design(samples=256)
    found = sobol_indices(plan, metric_of(plan, linear), STEP, 0)
    near(found, {"first": [9 / 13, 4 / 13, 0.0], "total": [9 / 13, 4 / 13, 0.0]})
    assert found["variance"] == pytest.approx(13 / 3, rel=0.02)


def test_total_index_times_variance_is_half_the_mean_square_of_differences():
    """Jansen's estimator, written out."""
    plan = design(samples=16)
    assert plan.sobol_chips == 1
    metric = metric_of(plan, lambda u, chip: np.exp(u @ np.array([1.0, 0.5, 0.2])))
    found = sobol_indices(plan, metric, STEP, 0)
    blocks = metric[0, plan.first_sobol :].reshape(16, 5)
    for j in range(3):
        expected = 0.5 * np.mean((blocks[:, 0] - blocks[:, 1 + j]) ** 2)
        assert found["total"][j] * found["variance"] == pytest.approx(expected)


def test_a_parameter_that_does_nothing_has_indices_of_zero():
    plan = design(samples=16)
    found = sobol_indices(plan, metric_of(plan, linear), STEP, 0)
    assert found["first"][2] == found["total"][2] == 0.0
    assert found["first_half_width"][2] == found["total_half_width"][2] == 0.0
    idle = sobol_indices(plan, metric_of(plan, lambda u, chip: 8.8759 + chip / 3), STEP, 0)
    assert idle["first"] == idle["total"] == [0.0, 0.0, 0.0]
    assert idle["variance"] == 0.0


def test_differences_between_chips_are_no_part_of_the_indices_but_told():
    plan = design(samples=256)
    alike = sobol_indices(plan, metric_of(plan, lambda u, c: linear(u, 0)), STEP, 0)
    apart = sobol_indices(plan, metric_of(plan, linear), STEP, 0)
    np.testing.assert_allclose(apart["first"], alike["first"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(apart["total"], alike["total"], rtol=1e-9, atol=1e-9)
    between = np.var([0.0, 10.0, 20.0, 30.0], ddof=1)
    assert apart["between_chips"] == pytest.approx(between / (between + apart["variance"]))
    assert alike["between_chips"] == 0.0


def test_indices_are_averages_over_chips_weighted_by_their_variance():
    slopes = np.array([[4.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 3.0, 0.0], [1.0, 0.0, 0.0]])
    plan = design(samples=1024)
    found = sobol_indices(plan, metric_of(plan, lambda u, c: u @ slopes[c]), STEP, 0)
    share = (slopes**2).sum(axis=0) / (slopes**2).sum()
    near(found, {"first": share, "total": share})


def test_one_at_a_time_of_a_linear_function_is_exact():
    plan = design(samples=0)
    metric = metric_of(plan, linear)
    for entry, slope in zip(one_at_a_time(plan, metric), (3.0, 2.0, 0.0), strict=True):
        for side, sign in (("low", -1), ("high", 1)):
            assert entry[side]["mean"] == pytest.approx(sign * slope)
            assert entry[side]["half_width"] == pytest.approx(0.0, abs=1e-12)
            assert entry[side]["chips"] == 4
    assert nominal_mean(metric) == pytest.approx(15.0)
    assert sobol_indices(plan, metric, STEP, 0) is None


def test_a_chip_that_was_not_measured_is_left_out():
    plan = design(samples=64)
    metric = metric_of(plan, linear)
    metric[1, 2], metric[0, plan.rows_of(5)[2]] = np.nan, np.nan
    first = one_at_a_time(plan, metric)[0]
    assert (first["low"]["chips"], first["high"]["chips"]) == (4, 3)
    found = sobol_indices(plan, metric, STEP, 0)
    assert (found["samples"], found["evaluations"]) == (63, 63 * 5)
    near(found, {"first": [9 / 13, 4 / 13, 0.0], "total": [9 / 13, 4 / 13, 0.0]})


def test_each_base_point_is_on_one_chip_and_each_chip_sees_the_whole_cube():
    plan = design(samples=64, chips=7)
    assert plan.sobol_chips == 4
    for chip in range(4):
        rows = [plan.rows_of(i)[0] for i in range(64) if plan.chip_of(i) == chip]
        assert len(rows) == 16
        # a run of 16 points of a Sobol sequence has one in each sixteenth of every axis
        cells = np.floor((centred(plan.factors[rows]) + 1.0) * 8).astype(int)
        assert all(sorted(column) == list(range(16)) for column in cells.T)


def test_points_of_a_base_point_differ_in_one_parameter_each():
    plan = design(samples=8)
    for i in range(8):
        block = plan.factors[plan.rows_of(i)]
        for j in range(3):
            expected = np.where(np.arange(3) == j, block[-1], block[0])
            assert (block[1 + j] == expected).all()


def test_work_covers_every_point_once_and_is_called_by_names_of_its_own():
    plan = design(samples=64, chips=5)
    units = units_of_design(plan, "net", "global", 100.0)
    assert len({unit.name for unit in units}) == len(units)
    done = [(unit.chip, life.devices) for unit in units for life in unit.lives]
    assert len(done) == len(set(done)) == 5 * 7 + 64 * 5
    points = {number_of(name) for _, name in done}
    assert points == set(range(len(plan.factors)))
    assert all(unit.times_s == (100.0,) for unit in units)
    assert max(len(unit.lives) for unit in units) <= 16


def test_work_that_was_interrupted_goes_on_to_the_same_numbers(tmp_path):
    plan = design(samples=16, chips=2)
    units = units_of_design(plan, "net", "global", 100.0)
    whole = worker(plan, linear)
    seen = []

    def stops(unit, materials, recent=None):
        seen.append(unit)
        if len(seen) == 4:
            raise KeyboardInterrupt
        found = whole(unit, materials)
        return Outcome(dict(list(found.lived.items())[1:]), dict.fromkeys(unit.lives[:1], "no"))

    with pytest.raises(KeyboardInterrupt):
        work_through(tmp_path / "a", units, Here(None, stops), 0)
    left = open_units(tmp_path / "a", units)
    assert [len(unit.lives) for unit in left[:3]] == [1, 1, 1]
    assert not work_through(tmp_path / "a", units, Here(None, whole), 0)
    assert not work_through(tmp_path / "b", units, Here(None, whole), 0)
    a, b = (responses(tmp_path / name, plan, units) for name in "ab")
    assert np.isfinite(a[0, plan.first_sobol :]).sum() == 2 * 16 * 5
    np.testing.assert_array_equal(a, b)
    for path in (tmp_path / "b" / "units").iterdir():
        assert path.read_bytes() == (tmp_path / "a" / "units" / path.name).read_bytes()


def test_the_table_holds_every_evaluation_with_its_factors(tmp_path):
    plan = design(samples=16, chips=2)
    units = units_of_design(plan, "net", "global", 100.0)
    work_through(tmp_path, units, Here(None, worker(plan, linear)), 0)
    rows = frame(plan, responses(tmp_path, plan, units))
    assert rows["design"].value_counts().to_dict() == {"one_at_a_time": 14, "sobol": 80}
    u = centred(rows[[f"factor_{name}" for name in NAMES]].to_numpy())
    expected = 10.0 * rows["chip"] + u @ np.array([3.0, 2.0, 0.0])
    np.testing.assert_allclose(rows["metric_per_step"], expected)
    np.testing.assert_allclose(rows["metric_per_sequence"], 2 * expected)


def test_chance_comes_from_the_seed_alone(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("numpy's global generator was asked")

    monkeypatch.setattr(np.random, "randint", refuse)
    first, again, other = design(), design(), design(seed=1)
    assert (first.factors == again.factors).all()
    assert (first.factors != other.factors).any()
    metric = metric_of(first, linear)
    assert sobol_indices(first, metric, STEP, 0) == sobol_indices(again, metric, STEP, 0)


@pytest.mark.parametrize(
    ("samples", "advice"), [(1, "2, 4"), (3, "2, 4"), (100, "64, 128"), (65_000, "32768, 65536")]
)
def test_samples_that_are_no_power_of_two_are_refused(samples, advice):
    section = {"samples": samples}
    with pytest.raises(UsageError, match=f"powers of two; write {advice}, or 0"):
        build_study(
            {"networks": {"a": "a"}, "devices": {"a": "b"}, "cells": [{}], "sensitivity": section}
        )


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"parameters": ["nu_mean", "nu_mean"]}, "twice"),
        ({"devices": "c"}, "sensitivity.devices: 'c' is not defined; known: b"),
        ({"network": "c"}, "sensitivity.network: 'c' is not defined; known: a"),
    ],
)
def test_a_section_with_a_fault_is_refused(section, message):
    with pytest.raises(UsageError, match=message):
        build_study(
            {"networks": {"a": "a"}, "devices": {"b": "b"}, "cells": [{}], "sensitivity": section}
        )
