import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from pcmsim.errors import DataError
from pcmsim.files import replace, replacing_hdf5


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    replace(tmp_path / "new" / "a.txt", b"one")
    replace(tmp_path / "new" / "a.txt", b"two")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"two"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.txt"]


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_old_content(tmp_path, monkeypatch, moment):
    replace(tmp_path / "a.txt", b"old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, moment, refuse)
    with pytest.raises(DataError, match="No space left"):
        replace(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_two_writers_do_not_meet(tmp_path):
    """Each thread writes whole contents; what is there is always one of them."""
    contents = [bytes([i]) * 100_000 for i in range(4)]

    def write(content):
        for _ in range(20):
            replace(tmp_path / "a", content)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, contents))
    assert (tmp_path / "a").read_bytes() in contents
    assert len(list(tmp_path.iterdir())) == 1


def test_an_error_while_filling_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.h5"
    with replacing_hdf5(path) as file:
        file["x"] = 1
    before = path.read_bytes()

    def fill():
        with replacing_hdf5(path, keep=True) as file:
            file["y"] = 2
            raise KeyError("stopped")

    with pytest.raises(KeyError):
        fill()
    assert path.read_bytes() == before


def test_keep_starts_from_what_is_there(tmp_path):
    path = tmp_path / "a.h5"
    for name, keep in (("x", False), ("y", True), ("z", False)):
        with replacing_hdf5(path, keep) as file:
            file[name] = 1
            names = set(file)
        assert names == {"x": {"x"}, "y": {"x", "y"}, "z": {"z"}}[name]
