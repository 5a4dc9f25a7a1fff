import logging

import h5py
import numpy as np
import pytest

from pcmsim.datasets.spiking_digits import load_spiking_digits, read_recordings
from pcmsim.errors import DataError, UsageError


def write(path, times, units, labels, precision=np.float16):
    """A file of the published layout: arrays of any length, one for each recording."""
    with h5py.File(path, "w") as file:
        for key, values, kind in (("times", times, precision), ("units", units, np.uint16)):
            data = file.create_dataset(f"spikes/{key}", (len(values),), h5py.vlen_dtype(kind))
            for i, value in enumerate(values):
                data[i] = np.asarray(value, kind)
        file["labels"] = np.asarray(labels)
    return path


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    for file, count in (("shd_train.h5", 20), ("shd_test.h5", 4)):
        sizes = rng.integers(0, 50, count)
        times = [np.sort(rng.uniform(0, 1.35, n)) for n in sizes]
        units = [rng.integers(0, 700, n) for n in sizes]
        write(tmp_path / file, times, units, np.arange(count) % 20)
    return tmp_path


@pytest.mark.parametrize("precision", [np.float16, np.float32, np.float64])
def test_a_spike_falls_into_the_bin_of_its_time_and_the_row_of_its_unit(tmp_path, precision):
    times, units = [[0.0, 0.0135, 0.0145, 0.705, 1.395]], [[0, 699, 5, 6, 7]]
    path = write(tmp_path / "some.h5", times, units, [3], precision)
    (spikes,), labels = read_recordings(path, 100, 700)
    assert np.argwhere(spikes).tolist() == [[0, 0], [0, 699], [1, 5], [50, 6], [99, 7]]
    assert (spikes.shape, spikes.dtype, labels.tolist()) == ((100, 700), np.uint8, [3])


def test_several_spikes_in_a_bin_are_one_and_late_ones_none(tmp_path):
    path = write(tmp_path / "some.h5", [[0.1, 0.1, 1.5]], [[4, 4, 4]], [0])
    assert read_recordings(path, 100, 700)[0][0].sum() == 1


def test_neighbouring_units_share_a_channel(tmp_path):
    path = write(tmp_path / "some.h5", [[0.0] * 4], [[0, 4, 5, 699]], [0])
    (spikes,), _ = read_recordings(path, 10, 140)
    assert np.argwhere(spikes).tolist() == [[0, 0], [0, 1], [0, 139]]


def test_a_tenth_of_training_is_held_out(folder):
    data = load_spiking_digits(folder, steps=20, channels=70)
    assert [len(s) for s in (data.train, data.valid, data.test)] == [18, 2, 4]
    assert data.train.kind == "sequence_class"
    inputs, labels = read_recordings(folder / "shd_train.h5", 20, 70)
    for split in (data.train, data.valid):
        for x, label in zip(split.inputs, split.labels, strict=True):
            np.testing.assert_array_equal(x, inputs[labels.tolist().index(label)])
    assert {int(n) for s in (data.train, data.valid) for n in s.labels} == set(range(20))
    np.testing.assert_array_equal(data.test.labels, [0, 1, 2, 3])
    assert data.test.batch([1, 0]).targets.tolist() == [1, 0]


def test_other_counts_than_published_are_taken_with_a_warning(folder, caplog):
    with caplog.at_level(logging.WARNING):
        load_spiking_digits(folder, steps=2, channels=7)
    assert "holds 20 recordings of 8156" in caplog.text


@pytest.mark.parametrize(
    ("times", "units", "labels", "says"),
    [
        ([[0.1]], [[1, 2]], [0], r"recording 0 has times \(1,\) and units uint16 \(2,\)"),
        ([[0.1], [-0.1]], [[1], [1]], [0, 0], "recording 1: times must be seconds from 0"),
        ([[np.nan]], [[1]], [0], "times must be seconds"),
        ([[0.1]], [[700]], [0], "units must be 0 to 699"),
        ([[0.1]], [[1]], [20], "labels must be 0 to 19"),
        ([[0.1]], [[1]], [-1], "labels must be 0 to 19"),
        ([[0.1]], [[1]], [0, 1], "holds 1 arrays of times"),
        ([[0.1]], [[1], [2]], [0], "2 of units"),
        ([[0.1]], [[1]], [0.0], "labels whole numbers"),
        ([], [], np.zeros(0, int), "at least one"),
    ],
)
def test_recordings_that_do_not_fit_together_are_refused(tmp_path, times, units, labels, says):
    path = write(tmp_path / "some.h5", times, units, labels)
    with pytest.raises(DataError, match=says):
        read_recordings(path, 100, 700)


@pytest.mark.parametrize("kept", [0, 100, 2000, -1])
def test_a_damaged_file_is_refused_in_one_line(folder, kept):
    path = folder / "shd_test.h5"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"shd_test\.h5 is damaged") as error:
        read_recordings(path, 100, 700)
    assert "\n" not in str(error.value)


def test_a_file_of_something_else_is_refused(tmp_path):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        file["labels"] = [1]
        file["spikes"] = [1]
    with pytest.raises(DataError, match="no file of spikes"):
        read_recordings(tmp_path / "some.h5", 100, 700)


@pytest.mark.parametrize(("settings", "says"), [({"steps": 0}, "steps = 0"),
                                                ({"channels": 699}, "channels = 699"),
                                                ({"channels": 0}, "channels = 0")])  # fmt: skip
def test_bins_that_cannot_be_are_refused(tmp_path, settings, says):
    with pytest.raises(UsageError, match=says):
        load_spiking_digits(tmp_path, **settings)


def test_more_bins_than_memory_holds_are_refused_with_the_most_there_may_be(folder):
    with pytest.raises(UsageError, match=r"steps = 400000: 20 .* at most 306783 steps"):
        load_spiking_digits(folder, 400_000)
