import numpy as np
import pytest
import scipy.io

from pcmsim.datasets import cache, ecg
from pcmsim.datasets.ecg import read_beats
from pcmsim.errors import DataError

SEQUENCES, STEPS = 20, 15


def beats(seed, sequences=SEQUENCES):
    """Spikes and marks in the layout of the published files; about one step in seven unmarked."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 6, (sequences, STEPS))
    marks = (labels[..., None] == np.arange(6)).astype(np.uint8)
    return rng.integers(-1, 2, (sequences, STEPS, 4)).astype(np.int16), marks, labels


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for file, seed, sequences in (("QTDB_train.mat", 1, 20), ("QTDB_test.mat", 2, 3)):
        x, y, _ = beats(seed, sequences)
        scipy.io.savemat(tmp_path / file, {"t": x[..., 0], "x": x, "y": y}, do_compression=True)
    right = {file: cache.checksum(tmp_path / file) for file in ecg.SHA256}
    monkeypatch.setattr(ecg, "SHA256", right)
    return tmp_path


def test_spikes_and_classes_come_back(folder):
    x, _, labels = beats(1)
    inputs, found = read_beats(folder / "QTDB_train.mat")
    np.testing.assert_array_equal(inputs, x)
    np.testing.assert_array_equal(found, labels)
    assert (inputs.dtype, found.dtype) == (np.int8, np.int64)


def test_a_tenth_of_training_is_held_out_and_the_test_file_is_the_test(folder):
    data = ecg.load_ecg(folder)
    assert [len(s) for s in (data.train, data.valid, data.test)] == [18, 2, 3]
    x, _, labels = beats(1)
    pairs = {(a.tobytes(), b.tobytes()) for a, b in zip(x.astype(np.int8), labels, strict=True)}
    for split in (data.train, data.valid):
        ours = zip(split.inputs, split.labels, strict=True)
        pairs -= {(a.tobytes(), b.tobytes()) for a, b in ours}
    assert not pairs
    np.testing.assert_array_equal(np.stack(data.test.labels), beats(2, 3)[2])
    assert data.train.kind == "step_class"
    assert all(sha in data.source for sha in ecg.SHA256.values())


def test_unmarked_steps_do_not_count(folder):
    batch = ecg.load_ecg(folder).test.batch([0, 1, 2])
    np.testing.assert_array_equal(batch.mask.T, beats(2, 3)[2] >= 0)


def test_another_file_is_refused_by_its_checksum(folder):
    (folder / "QTDB_test.mat").write_bytes((folder / "QTDB_train.mat").read_bytes())
    with pytest.raises(DataError, match=r"QTDB_test\.mat is not the published file"):
        ecg.load_ecg(folder)


def spoil(x, y):
    """Contents that are no heartbeats, and what is said of each."""
    two, half, three = y.copy(), y.astype(float), x.copy()
    two[3, 4] = [1, 0, 0, 1, 0, 0]
    half[0, 0, 0] = 0.5
    three[1, 2, 3] = 2
    return [
        ({"x": x}, "damaged or no file of heartbeats: KeyError 'y'"),
        ({"x": x[..., :3], "y": y}, r"x has shape \(20, 15, 3\)"),
        ({"x": x[0], "y": y[0]}, r"x has shape \(15, 4\)"),
        ({"x": x, "y": y[:, 1:]}, r"y \(20, 14, 6\)"),
        ({"x": three, "y": y}, "x holds other values than -1, 0 and 1"),
        ({"x": x, "y": two}, "at most a single 1"),
        ({"x": x, "y": half}, "at most a single 1"),
    ]


@pytest.mark.parametrize(("content", "says"), spoil(*beats(1)[:2]))
def test_what_is_no_heartbeats_is_refused(tmp_path, content, says):
    scipy.io.savemat(tmp_path / "some.mat", content)
    with pytest.raises(DataError, match=says):
        read_beats(tmp_path / "some.mat")


@pytest.mark.parametrize("kept", [0, 60, 130, 500, -20])
def test_a_truncated_file_is_refused_in_one_line(folder, kept):
    path = folder / "QTDB_train.mat"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"QTDB_train\.mat is damaged") as error:
        read_beats(path)
    assert "\n" not in str(error.value)


@pytest.mark.data
def test_the_real_files_have_the_counts_of_their_publication(data_folder):
    data = ecg.load_ecg(data_folder)
    assert [len(s) for s in (data.train, data.valid, data.test)] == [556, 62, 141]
    labels = np.concatenate([*data.train.labels, *data.valid.labels])
    assert (labels < 0).sum() == 65_785
    # Steps of one wave follow its length: the shares of P and ST are those of a heartbeat.
    shares = np.bincount(labels[labels >= 0]) / (labels >= 0).sum()
    assert shares.round(3).tolist() == [0.136, 0.067, 0.063, 0.048, 0.329, 0.356]
    inputs = np.stack(data.test.inputs)
    assert inputs.shape == (141, 1301, 4)
    assert (inputs[:, :-1] >= 0).all()
    assert round(float((inputs != 0).mean()), 4) == 0.0791
