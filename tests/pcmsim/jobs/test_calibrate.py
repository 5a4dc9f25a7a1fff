"""From a virtual chip to a parameter set that other jobs accept, by the command line."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pcmsim.calibration.records import Campaign, DriftTraces, Instrument, SetStaircases
from pcmsim.calibration.virtual import measure_campaign
from pcmsim.cli import calibrate as calibrate_command
from pcmsim.cli import devices as command
from pcmsim.config import load_plan
from pcmsim.devices import load_parameter_set
from pcmsim.errors import UsageError
from pcmsim.jobs import Order, base_name, base_of, calibrate_files, measure, sample
from pcmsim.measurements import write_campaign

SMALL = (
    "drift.devices_per_level=300",
    "reads.devices_per_level=60",
    "reads.count=128",
    "staircase=null",
    "set_drift=null",
    "curve.devices=200",
    "yields.rows=128",
    "levels.devices_per_level=200",
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    path = tmp_path_factory.mktemp("lab") / "campaign.h5"
    counts = measure("pcm-gst-90nm", load_plan(None, SMALL), path, seed=1)
    assert counts["drift traces"] == 11 * 300 * 2
    return path


@pytest.fixture(scope="module")
def calibrated(measured):
    out = measured.parent / "my-chip.yaml"
    calibration, sources = calibrate_files(Order([measured], "my-chip", "2026-01-02"), out)
    return out, calibration, sources


def test_the_set_is_loaded_with_source_date_and_standard_errors(calibrated):
    out, calibration, sources = calibrated
    loaded = load_parameter_set(out)
    assert loaded == calibration.parameter_set
    source = loaded.entries["nu_mean"].source
    assert sources[0].sha256[:16] in source
    assert "2026-01-02" in source
    assert set(loaded.entries["nu_mean"].stderr) == {"slope", "intercept", "low", "high"}


def test_devices_of_the_set_drift_like_those_that_were_measured(calibrated):
    times = [3600.0, 345600.0]
    made, found = (
        sample(load_parameter_set(name), [5.0, 20.0], times, n=20_000)
        for name in ("pcm-gst-90nm", calibrated[0])
    )
    for a, b in zip(made, found, strict=True):
        assert b.g.mean == pytest.approx(a.g.mean, rel=0.02)
        assert b.g.std == pytest.approx(a.g.std, rel=0.08)


def test_a_campaign_is_the_same_whoever_measures_it(measured, tmp_path):
    again = tmp_path / "again.h5"
    measure("pcm-gst-90nm", load_plan(None, SMALL), again, seed=1)
    assert again.read_bytes() == measured.read_bytes()


def test_measuring_level_by_level_writes_the_file_of_the_whole_campaign(measured, tmp_path):
    device, plan = load_parameter_set("pcm-gst-90nm"), load_plan(None, SMALL)
    facts = {"device": "pcm-gst-90nm", "seed": 1.0}
    write_campaign(tmp_path / "whole.h5", measure_campaign(device, plan, 1), facts)
    assert (tmp_path / "whole.h5").read_bytes() == measured.read_bytes()


def test_targets_beyond_the_set_are_refused_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr("pcmsim.calibration.virtual.campaign.yield_map", None)
    with pytest.raises(UsageError, match="above g_max"):
        measure("pcm-gst-90nm", load_plan(None, ("drift.targets=[99.0]",)), tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()


def test_a_calibrated_set_stands_beside_the_one_it_kept_entries_from(calibrated, capsys):
    out, calibration, _ = calibrated
    assert base_of(calibration.parameter_set) == "pcm-gst-90nm"
    table = command._beside(calibration.parameter_set, load_parameter_set("pcm-gst-90nm"))
    assert [column.header for column in table.columns] == [
        *("entry", "value", "± s.e.", "pcm-gst-90nm", "unit", "source"),
    ]
    cells = list(zip(*(column.cells for column in table.columns), strict=True))
    rows = {row[0]: row[1:] for row in cells}
    assert set(rows) == set(calibration.parameter_set.entries)
    stuck = calibration.parameter_set.entries["p_stuck_reset"]
    assert rows["p_stuck_reset"][:3] == (f"{stuck.value:.4g}", f"{stuck.stderr:.4g}", "0.005")
    assert rows["onset_s"][1] == ""
    command.devices(str(out), beside="pcm-joshi2020")
    assert "pcm-joshi2020" in capsys.readouterr().out
    with pytest.raises(UsageError, match="--beside compares two sets"):
        command.devices(beside="pcm-joshi2020")


def test_a_published_set_stands_beside_none(capsys):
    assert base_of(load_parameter_set("pcm-gst-90nm")) is None
    command.devices("pcm-gst-90nm")
    assert "± s.e." not in capsys.readouterr().out


@pytest.fixture(scope="module")
def relaxing(tmp_path_factory):
    """File of three hundred devices that walk at random, told to be such that relax."""
    path = tmp_path_factory.mktemp("walks") / "walks.h5"
    rng, targets = np.random.default_rng(0), np.repeat([5.0, 15.0, 25.0], 100)
    first = targets + 0.3 * rng.standard_normal(300)
    walk = np.cumsum(rng.standard_t(4, (300, 3)), axis=1)
    g = np.column_stack([first, np.maximum(first[:, None] + walk, 0.0)])
    times, number = np.array([1e-3, 0.1, 10.0, 1e4]), np.arange(300)
    part = DriftTraces(number, 0 * number, targets, np.ones(300, bool), times, g)
    instrument = Instrument(1e-4, g_noise_std=0.02)
    write_campaign(path, Campaign(instrument, drift=(part,), law="relaxation"), {})
    return path


def test_page_and_console_compare_with_the_set_that_entries_are_kept_from(
    relaxing, tmp_path, capsys
):
    out, folder = tmp_path / "a.yaml", tmp_path / "page"
    calibrate_command.calibrate([relaxing], "walks", out, report=folder)
    numbers = json.loads((folder / "calibration.json").read_text())["numbers"]
    shown = capsys.readouterr().out
    assert numbers["base"] == base_of(load_parameter_set(out)) == "ideal"
    assert "ideal" in shown
    assert "pcm-gst-90nm" not in shown


def test_the_set_that_entries_are_kept_from_is_the_one_that_was_named(calibrated):
    named = Order([], "a", "2026-01-02", base="pcm-joshi2020")
    assert base_name(named, calibrated[1]) == "pcm-joshi2020"
    assert base_name(replace(named, base=None), calibrated[1]) == "pcm-gst-90nm"


@pytest.fixture
def ramps(tmp_path):
    """A file without drift traces."""
    g = 5.0 + np.cumsum(np.random.default_rng(1).normal(0.5, 0.2, (15, 31)), axis=1)
    cycles = SetStaircases(np.zeros(15, int), np.arange(15), np.ones(1), 2.0, g[:, :, None])
    write_campaign(tmp_path / "ramps.h5", Campaign(Instrument(1e-4), staircases=cycles), {})
    return tmp_path / "ramps.h5"


@pytest.mark.parametrize(("option", "value"), [("t0_s", 20.0), ("exponent", 1.1)])
def test_an_option_that_no_fit_would_look_at_is_refused_before_any_fit(
    measured, relaxing, ramps, tmp_path, monkeypatch, option, value
):
    for fit in ("calibrate", "calibrate_relaxation", "check_campaign"):
        monkeypatch.setattr(f"pcmsim.jobs.calibrate.{fit}", None)
    name = {"t0_s": "--t0 20", "exponent": "--exponent 1.1"}[option]
    for path, law in ((relaxing, None), (measured, "relaxation"), (ramps, None), (ramps, "drift")):
        order = Order([path], "a", "2026-01-02", law=law, **{option: value})
        with pytest.raises(UsageError, match=rf"^{name} would have no effect: .*; leave it out$"):
            calibrate_files(order, tmp_path / "a.yaml")
    # Of drift traces both are used, and the fit is reached.
    with pytest.raises(TypeError, match="not callable"):
        calibrate_files(
            Order([measured], "a", "2026-01-02", **{option: value}), tmp_path / "a.yaml"
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": []}, "at least one measurement file"),
        ({"name": "pcm-gst-90nm"}, "is a set that ships with pcmsim"),
        ({"name": " "}, "write a short name"),
        ({"exponent": 3.0}, "from 1 to 2"),
        ({"t0_s": -1.0}, "must be above zero"),
        ({"base": "pcm-gst-90n"}, "did you mean pcm-gst-90nm"),
    ],
)
def test_a_wrong_order_is_refused(measured, tmp_path, changes, message):
    order = {"files": [measured], "name": "a", "date": "2026-01-02"} | changes
    with pytest.raises(UsageError, match=message):
        calibrate_files(Order(**order), tmp_path / "a.yaml")
    assert not (tmp_path / "a.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["measure", "--out", "a.txt"], 2, "ends in .h5"),
        (["measure", "--out", "a.h5", "--set", "drift.cout=3"], 2, "is not a known key"),
        (["calibrate", "none.h5", "--name", "a", "--out", "a.yaml"], 3, "is no file"),
        (["calibrate", "none.h5", "--name", "a", "--out", "a.txt"], 2, "ends in .yaml"),
    ],
)
def test_the_command_line_ends_in_one_line(tmp_path, arguments, code, message, pcmsim, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, _, err = pcmsim(*arguments)
    assert found == code
    assert message in " ".join(err.split())
    assert "Traceback" not in err
