import re
import shutil

import h5py
import numpy as np
import pytest

from pcmsim import runlog
from pcmsim.errors import DataError
from pcmsim.report.folder import read_run

NAN = float("nan")


def test_a_run_is_read_with_its_chips(loop_run):
    found = read_run(loop_run).training.in_loop
    assert [chip.chip for chip in found.results.chips] == [0, 1, 2]
    assert [log["valid_metric"][0] for log in found.logs] == pytest.approx([9.21, 9.26, 9.31])
    assert found.rules == ["accumulate", "digital"]
    assert list(found.aware["epoch"]) == list(range(1, 9))


def test_a_training_run_alone_has_no_loop(train_run):
    assert read_run(train_run).training.in_loop is None


def test_chips_are_read_by_their_number_and_not_by_their_place(loop_run, rewrite):
    rewrite(loop_run / "results.json", lambda values: values["chips"].reverse())
    found = read_run(loop_run).training.in_loop
    assert [log["valid_metric"][0] for log in found.logs] == pytest.approx([9.31, 9.26, 9.21])


@pytest.mark.parametrize("name", ["chip0/log.h5", "chip2/log.h5", "aware/log.h5"])
@pytest.mark.parametrize("harm", ["missing", "damaged", "folder missing"])
def test_a_missing_or_damaged_log_is_named_in_one_line(loop_run, name, harm):
    path = loop_run / name
    if harm == "damaged":
        path.write_bytes(b"\xff\xfe{")
    elif harm == "missing":
        path.unlink()
    else:
        shutil.rmtree(path.parent)
    with pytest.raises(DataError, match=re.escape(str(path))) as caught:
        read_run(loop_run)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"valid_metric": np.nan}, "valid_metric must be a column of finite numbers"),
        ({"valid_metric": 1e308}, "valid_metric must be a column of finite numbers"),
        ({"phase": np.inf}, "phase must be a column of finite numbers"),
        ({"resets": -1.0}, "resets reaches -1"),
        ({"epoch": 7.0}, "tells of other epochs than"),
        ({"programmed": None}, "no rows of programmed"),
    ],
)
def test_a_log_that_cannot_be_is_refused(loop_run, make_log, columns, complaint):
    path = loop_run / "chip1" / "log.h5"
    table = runlog.read(path)
    for name, value in columns.items():
        if value is None:
            del table[name]
        else:
            table[name][3] = value
    make_log(path, table)
    with pytest.raises(DataError, match=rf"chip1/log\.h5.*{complaint}"):
        read_run(loop_run)


def test_a_log_of_fewer_epochs_than_the_others_is_refused(loop_run, make_log):
    path = loop_run / "chip1" / "log.h5"
    make_log(path, {name: column[:4] for name, column in runlog.read(path).items()})
    with pytest.raises(DataError, match=r"chip1/log\.h5 tells of other epochs than .*chip0"):
        read_run(loop_run)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda v: v.update(stages=[]), "stages: "),
        (lambda v: v.pop("stages"), "stages: field required"),
        (lambda v: v.update(stages=None), "stages: "),
        (lambda v: v.update(chips=[]), "chips: "),
        (lambda v: v.pop("chips"), "chips: field required"),
        (lambda v: v.update(chips=3), "chips: "),
        (lambda v: v["chips"].pop(), r"stages\.0\.per_chip has 3 values, and there are 2 chips"),
        (lambda v: v["stages"][4].update(stage="other"), r"stages\.4\.stage: "),
        (lambda v: v["stages"][4].update(mean=NAN), r"stages\.4\.mean: "),
        (lambda v: v["stages"][4].update(t_s=-1.0), r"stages\.4\.t_s: "),
        (lambda v: v["stages"][4].update(per_chip=[]), r"stages\.4\.per_chip: "),
        (lambda v: v["stages"][4].update(per_chip=[8.5, NAN, 8.5]), r"stages\.4\.per_chip\.1: "),
        (lambda v: v["chips"][1].update(chip_s=NAN), r"chips\.1\.chip_s: "),
        (lambda v: v["chips"][1].update(seconds=-1.0), r"chips\.1\.seconds: "),
        (lambda v: v["chips"][1].update(chip=-1), r"chips\.1\.chip: "),
        (lambda v: v["chips"][1].update(chip="../x"), r"chips\.1\.chip: "),
        (lambda v: v["chips"][1].pop("wear"), r"chips\.1\.wear: field required"),
        (
            lambda v: v["chips"][1]["wear"]["hidden"].update(resets=-2),
            r"chips\.1\.wear\.hidden\.resets: ",
        ),
        (lambda v: v.update(aware_metric="8.5"), "aware_metric: "),
        (lambda v: v.update(devices=None), "devices: "),
        (lambda v: v.update(devices=-4), "devices: "),
        (lambda v: v["stages"][4].update(mean=1e308), r"stages\.4\.mean: "),
        (lambda v: v["chips"][0].update(epochs=10**400), r"chips\.0\.epochs: "),
        (lambda v: v.update(epochs=-1), "epochs: "),
    ],
)
def test_a_wrong_result_is_named_with_its_file(loop_run, rewrite, change, complaint):
    rewrite(loop_run / "results.json", lambda values: change(values) and None)
    with pytest.raises(DataError, match=rf"looped/results\.json: {complaint}") as caught:
        read_run(loop_run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [np.ones((6, 2)), np.array([b"x"] * 6), np.ones(0)])
def test_a_log_whose_columns_are_no_lists_of_numbers_is_refused(loop_run, values):
    path = loop_run / "chip1" / "log.h5"
    with h5py.File(path, "a") as file:
        for name in list(file):
            del file[name]
        for name in ("phase", "epoch", "valid_metric", "programmed", "set_pulses", "resets"):
            file[name] = values
    with pytest.raises(DataError, match=r"chip1/log\.h5"):
        read_run(loop_run)
