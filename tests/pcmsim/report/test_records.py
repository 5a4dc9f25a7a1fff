import re

import h5py
import numpy as np
import pytest

from pcmsim.errors import DataError
from pcmsim.report.folder import read_run


def test_a_run_is_read_with_the_drift_runs_in_it(full_run, make_drift):
    make_drift(full_run / "another", chips=3)
    run = read_run(full_run)
    assert run.name == "first"
    assert run.training.results.best_epoch == 27
    assert [(drift.name, drift.results.chips) for drift in run.drifts] == [
        ("another", 3),
        ("drift", 8),
    ]
    assert [origin.name for origin in run.origins] == ["first", "another", "drift"]
    assert [m.name for m in run.drifts[1].matrices] == ["hidden", "output"]


def test_other_results_beside_a_run_are_left_alone(full_run, rewrite):
    (full_run / "other").mkdir()
    (full_run / "other" / "results.json").write_text('{"kind": "calibration", "format": 1}')
    assert [drift.name for drift in read_run(full_run).drifts] == ["drift"]


def test_a_folder_that_is_no_finished_run_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"results\.json is missing: .* not finished"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": 2}, "not of format 1"),
        ({"kind": "calibration"}, "kind 'calibration'"),
        ({"software_metric": "8.4"}, "software_metric: input should be a valid number"),
        ({"software_metric": float("nan")}, "software_metric: input should be a finite number"),
        ({"best_epoch": None}, "best_epoch: input should be a valid integer"),
    ],
)
def test_a_wrong_value_is_named_with_its_file(full_run, rewrite, change, complaint):
    rewrite(full_run / "results.json", lambda values: values.update(change))
    with pytest.raises(DataError, match=rf"results\.json.*{re.escape(complaint)}"):
        read_run(full_run)


@pytest.mark.parametrize("name", ["software_metric", "network", "epochs"])
def test_a_missing_value_is_named_with_its_file(full_run, rewrite, name):
    rewrite(full_run / "results.json", lambda values: values.pop(name))
    with pytest.raises(DataError, match=rf"results\.json: {name}: field required"):
        read_run(full_run)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"t_s": 0.0}, "t_s"), ({"per_chip": []}, "per_chip"), ({"mean": None}, "mean")],
)
def test_a_wrong_point_is_named_by_its_number(full_run, rewrite, change, complaint):
    rewrite(full_run / "drift" / "results.json", lambda values: values["drift"][4].update(change))
    with pytest.raises(DataError, match=rf"drift/results\.json: drift\.4\.{complaint}"):
        read_run(full_run)


def test_a_log_of_something_else_is_refused(full_run, make_log):
    make_log(full_run / "log.h5", {"epoch": [1.0], "train_loss": [9.0]})
    with pytest.raises(DataError, match=r"log\.h5 has no rows of valid_metric"):
        read_run(full_run)


@pytest.mark.parametrize(
    ("g_start", "g_end", "complaint"),
    [
        (np.ones((2, 1, 3, 4)), np.ones((2, 1, 4, 3)), "shapes"),
        (np.ones((1, 1, 3, 4)), np.ones((1, 1, 3, 4)), "shapes"),
        (np.ones((2, 3, 4)), np.ones((2, 3, 4)), "shapes"),
        (np.ones((2, 1, 0, 4)), np.ones((2, 1, 0, 4)), "shapes"),
        (np.ones((2, 1, 3, 4)), np.full((2, 1, 3, 4), np.nan), "not finite"),
        (np.full((2, 1, 3, 4), np.inf), np.ones((2, 1, 3, 4)), "not finite"),
    ],
)
def test_conductances_that_fit_no_matrix_are_refused(
    full_run, make_arrays, g_start, g_end, complaint
):
    path = full_run / "drift" / "arrays.h5"
    make_arrays(path, {"w": (3, 4)})
    with h5py.File(path, "a") as file:
        del file["w/g_start"], file["w/g_end"]
        file["w/g_start"], file["w/g_end"] = g_start, g_end
    with pytest.raises(DataError, match=rf"arrays\.h5.* w .*{complaint}"):
        read_run(full_run)


@pytest.mark.parametrize("lost", ["g_start", "attribute", "everything"])
def test_conductances_that_lack_a_part_are_refused(full_run, make_arrays, lost):
    path = full_run / "drift" / "arrays.h5"
    make_arrays(path, {"w": (3, 4)})
    with h5py.File(path, "a") as file:
        if lost == "attribute":
            del file["w"].attrs["t_end_s"]
        else:
            del file["w/g_start" if lost == "g_start" else "w"]
    with pytest.raises(DataError, match=r"arrays\.h5"):
        read_run(full_run)
