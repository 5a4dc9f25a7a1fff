import gzip
import hashlib
import struct

import numpy as np
import pytest

from pcmsim.datasets.idx import read_idx
from pcmsim.errors import DataError

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx(values, kind=8) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, kind, values.ndim, *values.shape) + bytes(values)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_values_come_back_in_order_compressed_or_not(tmp_path, pack):
    (tmp_path / "some").write_bytes(pack(idx(VALUES)))
    found = read_idx(tmp_path / "some", axes=3)
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.sha256 == hashlib.sha256(idx(VALUES)).hexdigest()


def test_the_header_is_big_endian(tmp_path):
    (tmp_path / "some").write_bytes(b"\0\0\x08\x01\0\0\x01\x02" + bytes(258))
    assert read_idx(tmp_path / "some", axes=1).values.shape == (258,)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "starts with nothing"),
        (b"PK\3\4rest", "no idx file"),
        (idx(VALUES, kind=9), "type 9 and 3 axes"),
        (idx(VALUES[0]), "type 8 and 2 axes; needed.*3 axes"),
        (idx(VALUES)[:9], "ends within its header"),
        (idx(VALUES)[:-1], r"23 entries; its header says 24, \(2, 3, 4\)"),
        (idx(VALUES) + b"\0", "25 entries"),
        (gzip.compress(idx(VALUES), mtime=0)[:-9], "cannot be read"),
        (gzip.compress(idx(VALUES), mtime=0)[:20] + bytes(30), "cannot be read"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, content, says):
    (tmp_path / "some").write_bytes(content)
    with pytest.raises(DataError, match=says) as error:
        read_idx(tmp_path / "some", axes=3)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_a_fault_of_the_data(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "none", axes=3)


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("pcmsim.datasets.idx.LARGEST_BYTES", 20)
    (tmp_path / "some").write_bytes(gzip.compress(idx(VALUES)))
    with pytest.raises(DataError, match="larger than 20 bytes"):
        read_idx(tmp_path / "some", axes=3)
