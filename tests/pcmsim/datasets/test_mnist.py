import gzip
import hashlib
import struct

import numpy as np
import pytest

from pcmsim.datasets import mnist
from pcmsim.errors import DataError, UsageError

FILES = list(mnist.SHA256)


def idx(values) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + bytes(values)


@pytest.fixture
def arrays():
    """Twelve and five images of 2 x 3 pixels, all different."""
    rng = np.random.default_rng(1)
    shapes = [(12, 2, 3), (12,), (5, 2, 3), (5,)]
    return [rng.integers(0, 10, shape).astype(np.uint8) for shape in shapes]


@pytest.fixture
def folder(tmp_path, monkeypatch, arrays):
    """A tiny copy of the four files, taken for the published one; four images to choose by."""
    monkeypatch.setattr(mnist, "VALID", 4)
    write(tmp_path, monkeypatch, arrays)
    return tmp_path


def write(folder, monkeypatch, arrays) -> None:
    contents = [idx(values) for values in arrays]
    for file, content in zip(FILES, contents, strict=True):
        (folder / f"{file}.gz").write_bytes(gzip.compress(content))
    right = [hashlib.sha256(content).hexdigest() for content in contents]
    monkeypatch.setattr(mnist, "SHA256", dict(zip(FILES, right, strict=True)))


def test_the_end_of_the_training_file_is_held_out(folder, arrays):
    data = mnist.load_mnist(folder)
    images = arrays[0].reshape(12, 6)
    np.testing.assert_array_equal(data.train.images, images[:8])
    np.testing.assert_array_equal(data.valid.images, images[8:])
    np.testing.assert_array_equal(data.test.images, arrays[2].reshape(5, 6))
    assert data.train.labels.tolist() == arrays[1][:8].tolist()
    assert data.valid.labels.tolist() == arrays[1][8:].tolist()
    assert data.test.labels.tolist() == arrays[3].tolist()
    assert [s.name for s in (data.train, data.valid, data.test)] == ["train", "valid", "test"]


def test_the_source_names_every_checksum_in_one_line(folder):
    source = mnist.load_mnist(folder).source
    assert all(sha in source for sha in mnist.SHA256.values())
    assert "\n" not in source


def test_settings_reach_the_splits_and_distortion_only_training(folder):
    data = mnist.load_mnist(folder, steps=30, max_rate=2.5, elastic=True)
    for split in (data.train, data.valid, data.test):
        assert (split.time_steps, split.max_rate) == (30, 2.5)
    assert [s.elastic for s in (data.train, data.valid, data.test)] == [True, False, False]


def test_one_changed_pixel_is_refused(folder):
    path = folder / f"{FILES[2]}.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] ^= 1
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=r"t10k-images.* is not the published file: SHA-256"):
        mnist.load_mnist(folder)


def test_labels_for_other_images_are_refused(tmp_path, monkeypatch, arrays):
    write(tmp_path, monkeypatch, [arrays[0], arrays[1][:11], *arrays[2:]])
    with pytest.raises(DataError, match=r"12 images, .*11 labels"):
        mnist.load_mnist(tmp_path)


def test_a_rate_above_one_spike_per_step_is_refused_before_the_files_are_looked_for(tmp_path):
    with pytest.raises(UsageError, match="max_rate = 21"):
        mnist.load_mnist(tmp_path, steps=20, max_rate=21.0)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"mnist: .* lacks train-images-idx3-ubyte, .*fetch"):
        mnist.load_mnist(tmp_path)


@pytest.mark.data
def test_the_real_files_have_the_published_counts(data_folder):
    data = mnist.load_mnist(data_folder)
    assert [len(s) for s in (data.train, data.valid, data.test)] == [50_000, 10_000, 10_000]
    labels = np.concatenate([data.train.labels, data.valid.labels])
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert round(float(data.test.images.mean() / 255), 4) == 0.1325
    # 7.8 million trials of p = 0.036: 4 standard errors of 7e-5.
    expected = 0.3 * data.test.images[:500].mean() / 255
    assert abs(data.test.batch(range(500)).inputs.mean() - expected) < 2.7e-4
