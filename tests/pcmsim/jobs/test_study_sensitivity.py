"""Sensitivity of a small network through the whole of a study."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pcmsim import jobs
from pcmsim.config import build_study
from pcmsim.devices import load_parameter_set, parameter_set_text
from pcmsim.errors import UsageError
from pcmsim.jobs import study_sensitivity
from pcmsim.jobs.study_materials import gather, survey
from pcmsim.jobs.study_sensitivity import asked, sensitivity, with_variants
from pcmsim.studies import HERE, LOCAL, run_unit

SECTION = {"parameters": ["nu_mean", "read_noise", "faults"], "chips": 2, "samples": 4}


def study_of(run, **section):
    return build_study(
        {
            "networks": {"small": str(run)},
            "devices": {"pcm": "pcm-gst-90nm"},
            "temperatures": {"room": {"celsius": 25.0}},
            "cells": [{"compensation": ["global", "none"]}],
            "chips": 2,
            "days": 1.0,
            "points": 2,
            "sensitivity": SECTION | section,
        }
    )


@pytest.fixture(scope="module")
def run(trained_once):
    """Folder of a trained network, which nothing here changes."""
    return trained_once


@pytest.fixture(scope="module")
def finished(run, tmp_path_factory):
    """A finished study with its results."""
    out = tmp_path_factory.mktemp("study") / "out"
    return out, jobs.study(study_of(run), out, where=jobs.Where(HERE))


def test_the_nominal_point_is_the_cell_of_the_study(finished):
    _, results = finished
    cell = next(c for c in results["cells"] if c["compensation"] == "global")
    assert results["sensitivity"]["nominal"] == cell["mean"][-1]
    assert results["sensitivity"]["t_s"] == results["times_s"][-1] == 86400.0


def test_the_section_of_the_results_has_its_shape(finished):
    out, results = finished
    found = results["sensitivity"]
    assert {k: found[k] for k in ("network", "devices", "compensation", "step", "chips")} == {
        "network": "small",
        "devices": "pcm",
        "compensation": "global",
        "step": 0.2,
        "chips": 2,
    }
    assert [entry["parameter"] for entry in found["one_at_a_time"]] == SECTION["parameters"]
    sides = [entry[side] for entry in found["one_at_a_time"] for side in ("low", "high")]
    assert all(set(side) == {"mean", "half_width", "chips"} for side in sides)
    assert found["sobol"]["parameters"] == SECTION["parameters"]
    assert (found["sobol"]["samples"], found["sobol"]["evaluations"]) == (4, 20)
    rows = pd.read_csv(out / "sensitivity.csv")
    assert len(rows) == 2 * 7 + 20
    at_one = (rows.filter(like="factor_") == 1.0).all(axis=1)
    assert rows[at_one]["metric_per_step"].mean() == pytest.approx(found["nominal"], rel=1e-12)
    assert results["failures"] == []


def test_more_drift_costs_more(finished):
    drift = finished[1]["sensitivity"]["one_at_a_time"][0]
    assert drift["low"]["mean"] < drift["high"]["mean"]


def test_a_study_that_lost_part_of_its_work_resumes_to_the_same_bytes(finished, run, tmp_path):
    whole, results = finished
    out = shutil.copytree(whole, tmp_path / "out")
    files = sorted((out / "units").glob("*~*.h5"))
    assert len(files) == 2 + 2
    for path in files[::2]:
        path.unlink()
    for name in ("results.json", "sensitivity.csv"):
        (out / name).unlink()
    assert jobs.study(study_of(run), out, where=jobs.Where(HERE), resume=True) == results
    assert (out / "sensitivity.csv").read_bytes() == (whole / "sensitivity.csv").read_bytes()


def test_other_points_are_no_resumption(finished, run):
    out, _ = finished
    with pytest.raises(UsageError, match=r"sensitivity\.step = 0\.1.*resume it as it was"):
        jobs.study(study_of(run, step=0.1), out, where=jobs.Where(HERE), resume=True)


def test_points_that_came_out_differently_are_no_resumption(finished, run, tmp_path, monkeypatch):
    """As with another version of the library that makes the points."""
    out = shutil.copytree(finished[0], tmp_path / "out")
    points = study_sensitivity.design_of

    def moved(*args):
        design = points(*args)
        return replace(design, factors=design.factors * (1.0 + 1e-15))

    monkeypatch.setattr(study_sensitivity, "design_of", moved)
    with pytest.raises(UsageError, match=r"points_sha256 = "):
        jobs.study(study_of(run), out, where=jobs.Where(HERE), resume=True)


def test_a_variant_does_not_depend_on_those_beside_it(run, tmp_path):
    study = study_of(run)
    part = asked(study)
    materials = with_variants(gather(survey(study), tmp_path), part)
    unit = part.units[0]
    together = run_unit(unit, materials).lived
    for life in (unit.lives[0], unit.lives[4], unit.lives[-1]):
        alone = run_unit(replace(unit, lives=(life,)), materials).lived[life]
        np.testing.assert_array_equal(alone.metric, together[life].metric)


def test_an_unknown_parameter_is_refused_before_anything_is_written(run, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=r"'nu_meen' is no parameter .*known: programming_std, nu"):
        jobs.study(study_of(run, parameters=["nu_meen"]), out, where=jobs.Where(HERE))
    assert not out.exists()


def test_a_step_beyond_the_range_of_an_entry_is_refused(run, tmp_path):
    own = load_parameter_set("pcm-gst-90nm").with_values(nu_device_share=0.9)
    path = tmp_path / "own.yaml"
    path.write_text(parameter_set_text(own))
    study = study_of(run, parameters=["nu_device_share"])
    study = study.model_copy(update={"devices": {"pcm": str(path)}})
    with pytest.raises(UsageError, match=r"nu_device_share x 1.2: .*nu_device_share = 1.08"):
        jobs.study(study, tmp_path / "out", where=jobs.Where(HERE))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_workers_give_the_same_bits(finished, run, tmp_path):
    out, results = finished
    again = jobs.study(study_of(run), tmp_path / "out", where=jobs.Where(LOCAL, 2))
    assert again == results
    csv = (tmp_path / "out" / "sensitivity.csv").read_bytes()
    assert csv == (out / "sensitivity.csv").read_bytes()


def test_what_was_not_measured_is_left_out_of_the_results(run, tmp_path):
    part = asked(study_of(run))
    found = sensitivity(tmp_path, part)
    assert found["nominal"] is None
    assert found["sobol"] is None
    assert {entry["low"]["chips"] for entry in found["one_at_a_time"]} == {0}
