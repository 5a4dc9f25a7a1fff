import hashlib

import pytest

from pcmsim.datasets import cache


def test_what_was_written_is_there_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "file.npz"
    assert cache.write(path, b"content")
    assert path.read_bytes() == b"content"
    assert list(path.parent.iterdir()) == [path]


def test_a_checksum_decides_and_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file"
    right = hashlib.sha256(b"new").hexdigest()
    assert cache.write(path, b"new", right)
    assert not cache.write(path, b"spoilt", right)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_refusing_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        cache.write(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []


def test_the_checksum_is_that_of_the_published_example(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert cache.checksum(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")
