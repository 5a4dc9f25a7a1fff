"""Workers in processes of their own; starting them takes some seconds."""

import os
import signal

import psutil
import pytest

from pcmsim.errors import UsageError
from pcmsim.studies import open_pool, units_of, work_through
from pcmsim.studies.pool import Here
from pcmsim.studies.store import unit_file


def files(folder, units):
    return {unit.name: unit_file(folder, unit).read_bytes() for unit in units}


def workers():
    """Processes that Dask has started from this one."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]


@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_worker_that_is_killed_is_replaced_and_files_are_the_same(n, small, materials, tmp_path):
    """One dies while it works, be it the only one; against one process without any."""
    units = units_of(small.model_copy(update={"chips": 6}))
    work_through(tmp_path / "here", units, Here(materials), 0)
    killed = []

    def kill(done, total, failed):
        if done and not killed:
            killed.append(workers()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    with open_pool("local", n, materials) as some:
        assert work_through(tmp_path / "some", units, some, 1, kill) == []
    assert killed
    assert files(tmp_path / "some", units) == files(tmp_path / "here", units)


@pytest.mark.slow
def test_one_worker_and_four_write_identical_files(small, materials, tmp_path):
    units = units_of(small.model_copy(update={"chips": 6}))
    for n in (1, 4):
        with open_pool("local", n, materials) as some:
            assert work_through(tmp_path / str(n), units, some, 0) == []
    assert files(tmp_path / "1", units) == files(tmp_path / "4", units)


def test_an_address_where_nobody_answers_is_refused(materials, monkeypatch):
    monkeypatch.setattr("pcmsim.studies.pool._PATIENCE_S", 1.0)
    with (
        pytest.raises(UsageError, match=r"127\.0\.0\.1:9"),
        open_pool("tcp://127.0.0.1:9", None, materials),
    ):
        pass
