"""Checking files: every fault and warning of every file, and an exit code."""

import h5py
import numpy as np
import pandas as pd
import pytest

from pcmsim.calibration.findings import FAULT, WARNING
from pcmsim.config import load_plan
from pcmsim.errors import UsageError
from pcmsim.jobs import check_files, measure

SMALL = (
    "drift.targets=[5.0]",
    "drift.devices_per_level=30",
    *(f"{section}=null" for section in ("reads", "staircase", "set_drift", "curve", "yields")),
)
MAP = """\
kind: drift
instrument: {t_read_s: 1.0e-6}
columns:
  device: {name: device}
  g_target: {name: target, unit: uS}
  t_s: {name: t, unit: s}
  g: {name: g, unit: uS}
"""


@pytest.fixture
def good(tmp_path):
    measure("pcm-gst-90nm", load_plan(None, SMALL), tmp_path / "good.h5", seed=1)
    return tmp_path / "good.h5"


@pytest.fixture
def bad(tmp_path, good):
    path = tmp_path / "bad.h5"
    path.write_bytes(good.read_bytes())
    with h5py.File(path, "r+") as file:
        g = file["drift/g"][:]
        g[10:22, 3], g[40] = -5.0, np.nan
        file["drift/g"][:] = g
    return path


def table(path, g="2.0"):
    rows = "".join(f"d{d},5,{t},{g}\n" for d in range(25) for t in (1, 10, 100, 1000))
    path.write_text("device,target,t,g\n" + rows)
    path.with_name(f"{path.name}.yaml").write_text(MAP)
    return path


def test_a_good_file_has_nothing(good):
    (found,) = check_files([good])
    assert found.listed == ()
    assert found.counts == {}
    assert found.faults == 0


def test_the_first_of_each_sort_are_listed_and_the_others_counted(bad):
    (found,) = check_files([bad], most=3)
    assert [(f.row, f.severity) for f in found.listed] == [
        (40, WARNING),
        (10, FAULT),
        (11, FAULT),
        (12, FAULT),
    ]
    assert found.others == {("drift", FAULT, "negative"): 9}
    assert found.counts == {WARNING: 1, FAULT: 12}


def test_a_file_that_cannot_be_read_does_not_hide_the_others(tmp_path, good, bad):
    (tmp_path / "torn.h5").write_bytes(good.read_bytes()[:500])
    (tmp_path / "no_map.csv").write_text("a,b\n1,2\n")
    names = ("torn.h5", "none.h5", "no_map.csv", "a.doc", "good.h5", "bad.h5")
    found = list(check_files([tmp_path / name for name in names]))
    assert [f.faults for f in found] == [1, 1, 1, 1, 0, 12]
    assert [f.listed[0].dataset for f in found[:4]] == ["file"] * 4


def test_one_column_map_serves_the_tables_among_the_files(tmp_path, good):
    a = table(tmp_path / "a.csv", "-3.0")
    (tmp_path / "map.yaml").write_text(MAP.replace("unit: uS}\n  t_s", "unit: mS}\n  t_s"))
    found = list(check_files([good, a], tmp_path / "map.yaml"))
    assert [f.faults > 0 for f in found] == [False, True]
    with pytest.raises(UsageError, match="cannot be read"):
        check_files([good, a], tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="at least one measurement file"):
        check_files([])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1e400", "is not a finite number"),
        ("=1+1", "is no number"),
        ("\x1b[31m7", "is no number"),
        ("0x10", "is no number"),
        ("1_000", "is no number"),
        ("9" * 400, "is not a finite number"),
        ("2.0", "all 100 reads are 2 uS"),
        ("-1e-3", "explains"),
        ("2e-6", "were the reads in S"),
        ("", "there is no read that is a number"),
    ],
)
def test_hostile_cells_of_a_table_are_a_fault_in_one_line(tmp_path, text, message):
    (found,) = check_files([table(tmp_path / "a.csv", text)])
    assert found.faults
    lines = [finding.what for finding in found.listed if finding.severity == FAULT]
    assert any(message in line for line in lines)
    assert all("\n" not in line and len(line) < 1000 for line in lines)


def test_a_sheet_is_checked_like_a_table(tmp_path):
    plain = table(tmp_path / "a.csv", "2.0")
    frame = pd.read_csv(plain)
    frame["g"] = 5.0 - np.log10(frame["t"]) + 0.01 * frame.index
    frame.to_excel(tmp_path / "b.xlsx", index=False)
    (found,) = check_files([tmp_path / "b.xlsx"], tmp_path / "a.csv.yaml")
    assert found.faults == 0


def test_the_command_lists_faults_and_ends_with_the_code_of_bad_data(tmp_path, good, bad, pcmsim):
    code, out, _ = pcmsim("check", good)
    assert code == 0
    assert "good.h5: nothing is wrong" in " ".join(out.split())
    (hostile := tmp_path / "\x1b[31mx.h5").write_bytes(b"no file")
    code, out, err = pcmsim("check", good, bad, hostile)
    assert code == 3
    assert "bad.h5: 1 warning, 12 faults" in " ".join(out.split())
    assert "error: 13 faults in 2 files of 3" in " ".join(err.split())
    assert "\x1b" not in out + err
    assert "and 7 more of this sort" in " ".join(out.replace("│", " ").split())
