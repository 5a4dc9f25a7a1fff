import json
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray
import yaml

from pcmsim.config import build_study, load_study
from pcmsim.errors import DataError, UsageError
from pcmsim.jobs import Where, drift, study
from pcmsim.jobs.folder import at_work
from pcmsim.jobs.study_materials import gather, survey
from pcmsim.studies import cells_of
from pcmsim.studies import unit as unit_of_work

HERE = Where("here")
TINY = {
    "data": {"name": "synthetic"},
    "network": {"unit": "snu", "hidden": [6]},
    "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.01},
}
MANY = {f"t{i}": {"celsius": 25.0} for i in range(4)}
FILES = ("results.parquet", "results.csv", "results.h5")


@pytest.fixture
def values(trained):
    return {
        "networks": {"soft": str(trained)},
        "devices": {"gst": "pcm-gst-90nm"},
        "temperatures": {"lab": {"formula": "25", "period_s": 86400.0}},
        "refreshes": {"daily": {"every_s": 86400.0}},
        "cells": [{"compensation": ["none", "global"]}, {"refresh": ["daily"]}],
        "chips": 3,
        "points": 4,
        "calibration": {"sequences": 2},
    }


@pytest.fixture
def finished(values, tmp_path):
    out = tmp_path / "study"
    return out, study(build_study(values), out, where=HERE)


def test_tables_hold_every_cell_chip_and_time_and_agree(values, finished):
    out, results = finished
    rows = pd.read_parquet(out / "results.parquet")
    assert len(rows) == 3 * 3 * 4
    pd.testing.assert_frame_equal(rows, pd.read_csv(out / "results.csv"), check_dtype=False)
    with h5py.File(out / "results.h5") as file:
        np.testing.assert_array_equal(file["metric_per_step"][:].ravel(), rows["metric_per_step"])
    for cell in results["cells"]:
        same = rows[(rows.refresh == cell["refresh"]) & (rows.compensation == cell["compensation"])]
        means = same.groupby("t_s")["metric_per_step"].mean()
        np.testing.assert_allclose(cell["mean"], means, rtol=1e-12)


def test_xarray_opens_the_table_with_its_dimensions(finished):
    out, _ = finished
    with xarray.open_dataset(out / "results.h5", engine="h5netcdf") as data:
        assert data["metric_per_step"].dims == ("cell", "chip", "t_s")
        assert data["metric_per_step"].shape == (3, 3, 4)
        assert data["metric_per_step"].attrs["units"] == "nat/step"


def test_the_difference_to_no_mitigation_is_on_the_same_chips(finished):
    out, results = finished
    rows = pd.read_parquet(out / "results.parquet")
    last = rows[(rows.t_s == rows.t_s.max()) & (rows.refresh == "none")]
    table = last.pivot(index="chip", columns="compensation", values="metric_per_step")
    cell = next(c for c in results["cells"] if c["compensation"] == "global")
    difference = table["global"] - table["none"]
    assert cell["against_none"]["mean"] == pytest.approx(difference.mean())


def test_the_same_study_writes_the_same_bytes(values, finished, tmp_path):
    out, _ = finished
    again = tmp_path / "again"
    study(build_study(values), again, where=HERE)
    for name in FILES:
        assert (out / name).read_bytes() == (again / name).read_bytes()


def test_more_chips_are_added_to_those_that_are_there(values, finished, tmp_path):
    out, _ = finished
    more, fresh = build_study(values | {"chips": 4}), tmp_path / "fresh"
    study(more, out, where=HERE, resume=True)
    study(more, fresh, where=HERE)
    for name in FILES:
        assert (out / name).read_bytes() == (fresh / name).read_bytes()


def test_the_configuration_in_the_folder_is_that_of_the_study(values, finished):
    out, _ = finished
    assert load_study(out / "study.yaml") == build_study(values)


def test_a_finished_study_is_not_overwritten(values, finished):
    out, _ = finished
    with pytest.raises(UsageError, match="not empty"):
        study(build_study(values), out, where=HERE)


def test_another_study_does_not_go_on_in_the_same_folder(values, finished):
    out, _ = finished
    for change in ({"days": 5.0}, {"seed": 9}, {"cells": [{}]}, {"hardware": {"pairs": 2}}):
        with pytest.raises(UsageError, match="started with"):
            study(build_study(values | change), out, where=HERE, resume=True)


def test_a_chip_of_a_study_is_the_chip_of_a_drift_run(values, trained, finished):
    """Same seed, same devices: uncompensated they differ by fresh read noise alone."""
    _, results = finished
    cell = next(c for c in results["cells"] if (c["compensation"], c["refresh"]) == ("none",) * 2)
    alone = drift(trained, chips=3, compensations=["none"], seed=0)
    last = alone["drift"][-1]
    assert last["t_s"] == results["times_s"][-1]
    assert cell["mean"][-1] == pytest.approx(last["mean"], abs=0.02)
    assert cell["std"][-1] == pytest.approx(last["std"], abs=0.02)


def test_the_share_within_the_tolerance_counts_chips(values, tmp_path):
    rows = {}
    for tolerance in (1e-6, 100.0):
        out = tmp_path / f"{tolerance}"
        results = study(build_study(values | {"tolerance": tolerance}), out, where=HERE)
        rows[tolerance] = results["cells"][0]["within"]
    assert rows[1e-6] == [0.0] * 4
    assert rows[100.0] == [1.0] * 4


def test_a_network_is_trained_where_only_its_configuration_is_given(values, tmp_path):
    path, out, epochs = tmp_path / "tiny.yaml", tmp_path / "study", []
    path.write_text(yaml.safe_dump(TINY))
    config = build_study(values | {"networks": {"tiny": str(path)}, "chips": 1, "points": 1})
    study(config, out, where=HERE, on_training=lambda *now: epochs.append(now))
    assert epochs == [("tiny", 1, 1)]
    assert json.loads((out / "networks" / "tiny" / "results.json").read_text())["kind"] == "train"


def test_all_reasons_are_told_before_any_cell_starts(values, tmp_path):
    out = tmp_path / "study"
    wrong = values | {
        "networks": {"soft": "nowhere", **values["networks"], "other": "missing.yaml"},
        "devices": {"gst": "pcm-gst-90nm", "ideal": "ideal", "x": "no-such-set"},
        "temperatures": {"hot": {"celsius": 150.0}, "warm": {"celsius": 50.0}},
    }
    with pytest.raises(UsageError) as refused:
        study(build_study(wrong), out, where=HERE)
    for words in ("missing.yaml", "no-such-set", "gst at hot", "ideal at warm", "ideal at hot"):
        assert words in str(refused.value)
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hardware": {"driver": "lab:open"}}, "driver"),
        ({"hardware": {"pears": 2}}, "pears"),
        ({"hardware": {"device": "ideal"}}, "listed under devices"),
        (
            {"temperatures": {"t": {"formula": "25+t_s", "period_s": 1e-3, "step_s": 1e-4}}},
            "changes of temperature",
        ),
        ({"temperatures": {"t": {"formula": "30", "period_s": 1e-300}}}, "changes of temperature"),
        ({"calibration": {"sequences": 5000}}, "calibration.sequences"),
        ({"chips": 10_000, "points": 1000, "temperatures": MANY}, "split the study"),
        ({"refreshes": {"daily": {"every_s": 0.01}}}, "refreshes.daily"),
        (
            {
                "refreshes": {"daily": {"every_s": 8e4, "what": "worst"}},
                "temperatures": {"warm": {"celsius": 30.0}},
            },
            "refresh daily at warm",
        ),
    ],
)
def test_what_no_cell_can_do_is_refused(values, tmp_path, change, words):
    with pytest.raises(UsageError, match=words):
        study(build_study(values | change), tmp_path / "study", where=HERE)
    assert not (tmp_path / "study").exists()


def test_a_study_without_enough_sequences_is_refused_before_a_network_is_trained(values, tmp_path):
    path, out = tmp_path / "tiny.yaml", tmp_path / "study"
    path.write_text(yaml.safe_dump(TINY))
    changes = {"networks": {"tiny": str(path)}, "calibration": {"sequences": 5000}}
    with pytest.raises(UsageError, match=r"calibration\.sequences = 5000"):
        study(build_study(values | changes), out, where=HERE)
    assert not out.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": {"unit": "ssnu", "outputs": 10}}, r"networks\.tiny: network\.outputs = 10"),
        ({"network": {"unit": "lif"}, "learning": {"rule": "ostl"}}, r"networks\.tiny: .*ostl"),
    ],
)
def test_what_training_would_refuse_is_told_before_a_study_begins(values, tmp_path, changes, words):
    path, out = tmp_path / "tiny.yaml", tmp_path / "study"
    path.write_text(yaml.safe_dump(TINY | changes))
    with pytest.raises(UsageError, match=words):
        study(build_study(values | {"networks": {"tiny": str(path)}}), out, where=HERE)
    assert not out.exists()


def test_all_faults_of_a_configuration_are_told(values):
    wrong = values | {"chips": 0, "cells": [{"compensation": ["globl"]}]}
    with pytest.raises(UsageError) as refused:
        build_study(wrong)
    assert "chips" in str(refused.value)
    assert "globl" in str(refused.value)


def test_another_process_is_kept_out_before_anything_is_written(values, finished):
    out, _ = finished
    before = (out / "study.yaml").read_bytes()
    with at_work(out), pytest.raises(UsageError, match="another process"):
        study(build_study(values | {"chips": 4}), out, where=HERE, resume=True)
    assert (out / "study.yaml").read_bytes() == before


@pytest.mark.parametrize("scheduler", ["LOCAL", "", "tcp://127.0.0.1", "tls://127.0.0.1:1"])
def test_a_scheduler_that_is_none_is_refused_before_anything_is_written(
    values, tmp_path, monkeypatch, scheduler
):
    monkeypatch.setattr(sys.modules["pcmsim.studies.pool"], "_PATIENCE_S", 1.0)
    with pytest.raises(UsageError, match="local, here, or the address"):
        study(build_study(values), tmp_path / "study", where=Where(scheduler))
    with pytest.raises(UsageError, match="workers = 0"):
        study(build_study(values), tmp_path / "study", where=Where("local", 0))
    assert not (tmp_path / "study").exists()


def test_what_has_changed_is_named_when_a_study_goes_on(values, finished, trained):
    out, _ = finished
    config = yaml.safe_load((trained / "config.yaml").read_text())
    config["hardware"]["pairs"] = 2
    (trained / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UsageError, match=r"sha256\.networks\.soft = "):
        study(build_study(values), out, where=HERE, resume=True)


def test_cells_that_fail_are_listed_and_the_others_are_there(values, tmp_path, monkeypatch):
    real = unit_of_work.moments

    def sometimes(unit, life, *rest):
        if life.refresh == "daily" and unit.chip == 1:
            raise MemoryError("none left")
        return real(unit, life, *rest)

    monkeypatch.setattr("pcmsim.studies.unit.moments", sometimes)
    out = tmp_path / "study"
    results = study(build_study(values), out, where=HERE)
    assert [(f["refresh"], f["chip"]) for f in results["failures"]] == [("daily", 1)]
    assert "none left" in results["failures"][0]["reason"]
    assert len(pd.read_parquet(out / "results.parquet")) == (3 * 3 - 1) * 4
    assert [cell["chips"] for cell in results["cells"]] == [3, 3, 2]
    monkeypatch.setattr("pcmsim.studies.unit.moments", real)
    assert study(build_study(values), out, where=HERE, resume=True)["failures"] == []


def test_cells_have_one_entry_each_in_their_order(values, finished):
    _, results = finished
    names = [tuple(cell[k] for k in ("refresh", "compensation")) for cell in results["cells"]]
    cells = cells_of(build_study(values))
    assert names == [(cell.refresh, cell.compensation) for cell in cells]


def test_materials_of_a_folder_that_holds_no_run_are_refused(values, tmp_path):
    (tmp_path / "empty").mkdir()
    config = build_study(values | {"networks": {"soft": str(tmp_path / "empty")}})
    with pytest.raises((UsageError, DataError), match=r"results\.json"):
        gather(survey(config), tmp_path / "study")
