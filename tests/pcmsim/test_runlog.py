import shutil
import subprocess

import h5py
import numpy as np
import pytest
import xarray

from pcmsim import runlog
from pcmsim.errors import DataError, UsageError

UNITS = {"epoch": "1", "nll": "nat/step"}


def write(path, n, start=0):
    for i in range(start, start + n):
        runlog.append(path, {"epoch": i, "nll": 10.0 - i}, UNITS)


def test_rows_come_back_in_order_whether_one_by_one_or_together(tmp_path):
    log = tmp_path / "log.h5"
    write(log, 3)
    runlog.append(log, {"epoch": np.array([3, 4]), "nll": np.array([7.0, 6.0])}, UNITS)
    table = runlog.read(log)
    np.testing.assert_array_equal(table["epoch"], [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(table["nll"], [10, 9, 8, 7, 6])


def test_the_log_opens_in_h5py_and_xarray_with_units(tmp_path):
    log = tmp_path / "log.h5"
    write(log, 3)
    with h5py.File(log) as file:
        assert file["nll"].attrs["units"] == "nat/step"
    with xarray.open_dataset(log, engine="h5netcdf") as table:
        assert table["nll"].dims == ("row",)
        assert table["nll"].attrs["units"] == "nat/step"
        np.testing.assert_array_equal(table["row"], [0, 1, 2])
        np.testing.assert_array_equal(table["nll"], [10, 9, 8])


def test_a_row_whose_writing_fails_leaves_all_before_it(tmp_path, monkeypatch):
    log = tmp_path / "log.h5"
    write(log, 3)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pcmsim.files.os.fsync", full)
    with pytest.raises(DataError, match="No space left"):
        write(log, 1, start=3)
    monkeypatch.undo()
    assert len(runlog.read(log)["epoch"]) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["log.h5"]
    write(log, 1, start=3)
    assert len(runlog.read(log)["epoch"]) == 4


def test_a_disk_that_is_really_full_costs_only_the_new_row(tmp_path):
    """On a file system of 128 kB, where this machine lets us mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(small)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine lets tests mount no file system")
    try:
        log, rows = small / "log.h5", 0
        column = np.arange(200.0)

        def fill():
            nonlocal rows
            while rows < 1e6:
                runlog.append(log, {"epoch": column, "nll": column + rows}, UNITS)
                rows += 200

        with pytest.raises(DataError, match="No space left"):
            fill()
        assert rows > 0
        np.testing.assert_array_equal(
            runlog.read(log)["epoch"], np.tile(np.arange(200.0), rows // 200)
        )
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_left_overs_of_a_killed_writer_do_no_harm(tmp_path):
    log = tmp_path / "log.h5"
    (tmp_path / "log.h5.partial").write_bytes(b"half a row")
    write(log, 2)
    assert len(runlog.read(log)["epoch"]) == 2


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_truncation_keeps_the_first_rows(tmp_path, keep):
    log = tmp_path / "log.h5"
    write(log, 3)
    runlog.truncate(log, keep)
    if keep:
        np.testing.assert_array_equal(runlog.read(log)["nll"], [10.0, 9.0, 8.0][:keep])
    else:
        assert not log.exists()
    write(log, 1, start=keep)
    assert len(runlog.read(log)["epoch"]) == keep + 1


def test_other_columns_are_refused(tmp_path):
    log = tmp_path / "log.h5"
    write(log, 1)
    with pytest.raises(UsageError, match="has the columns"):
        runlog.append(log, {"epoch": 1, "loss": 2.0}, {"epoch": "1", "loss": "1"})
    with pytest.raises(UsageError, match="units must name"):
        runlog.append(log, {"epoch": 1, "nll": 2.0}, {"epoch": "1"})
    with pytest.raises(UsageError, match="equal length"):
        runlog.append(log, {"epoch": np.zeros(2), "nll": np.zeros(3)}, UNITS)
    assert len(runlog.read(log)["epoch"]) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["log.h5"]


def test_a_file_that_is_no_log_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    for name in ("text.h5", "other.h5", "none.h5"):
        with pytest.raises(DataError, match=name):
            runlog.read(tmp_path / name)
