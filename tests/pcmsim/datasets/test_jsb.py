import hashlib

import numpy as np
import pytest

from pcmsim.datasets import batches, jsb, layout
from pcmsim.errors import DataError


@pytest.fixture
def file(tmp_path, canonical):
    path = tmp_path / "JSB_Chorales.npz"
    path.write_bytes(layout.pack(canonical))
    return path


@pytest.fixture(autouse=True)
def away_from_the_users_files(monkeypatch, cache_folder):
    monkeypatch.delenv("PCMSIM_DATA", raising=False)
    monkeypatch.setattr(jsb, "ADDRESS", "file:///there/is/nothing/here.mat")


def serve(monkeypatch, file, sha256=None) -> None:
    """Stand-in for the public address and the checksum of what it sends."""
    monkeypatch.setattr(jsb, "FILE", file.name)
    monkeypatch.setattr(jsb, "ADDRESS", file.as_uri())
    monkeypatch.setattr(jsb, "SHA256", sha256 or hashlib.sha256(file.read_bytes()).hexdigest())


def test_a_file_with_the_canonical_counts_is_taken(file, canonical):
    data = jsb.load_jsb(file)
    assert [s.name for s in (data.train, data.valid, data.test)] == ["train", "valid", "test"]
    np.testing.assert_array_equal(data.valid.rolls[70], canonical["valid"][70])
    assert hashlib.sha256(file.read_bytes()).hexdigest() in data.source
    assert "\n" not in data.source


@pytest.mark.parametrize("extra", [-1, 1])
@pytest.mark.parametrize(("split", "right"), [("train", 229), ("valid", 76), ("test", 77)])
def test_a_chorale_less_or_more_is_refused_by_its_count(tmp_path, canonical, split, right, extra):
    rolls = canonical[split]
    path = tmp_path / "some.npz"
    path.write_bytes(
        layout.pack(canonical | {split: rolls[1:] if extra < 0 else rolls[:1] + rolls})
    )
    with pytest.raises(DataError, match=rf"{split} has {right + extra} chorales.* {right};"):
        jsb.load_jsb(path)


@pytest.mark.parametrize("extra", [-1, 1])
@pytest.mark.parametrize(("split", "right"), [("train", 13807), ("valid", 4602), ("test", 4725)])
def test_a_step_less_or_more_is_refused_by_its_count(tmp_path, canonical, split, right, extra):
    rolls = list(canonical[split])
    long = max(range(20), key=lambda i: len(rolls[i]))
    rolls[long] = rolls[long][1:] if extra < 0 else np.vstack([rolls[long][:1], rolls[long]])
    path = tmp_path / "some.npz"
    path.write_bytes(layout.pack(canonical | {split: rolls}))
    with pytest.raises(DataError, match=rf"{split} has {right + extra} steps.* {right};"):
        jsb.load_jsb(path)


@pytest.mark.parametrize("inside", ["JSB_Chorales.npz", "jsb/JSB_Chorales.npz"])
def test_a_folder_stands_for_the_file_in_it(tmp_path, file, inside):
    target = tmp_path / "folder" / inside
    target.parent.mkdir(parents=True)
    file.rename(target)
    assert jsb.locate(tmp_path / "folder") == target


def test_the_environment_points_at_the_data_unless_a_path_does(tmp_path, file, monkeypatch):
    monkeypatch.setenv("PCMSIM_DATA", str(tmp_path))
    assert jsb.locate(None) == file
    other = tmp_path / "other.npz"
    other.write_bytes(b"")
    assert jsb.locate(other) == other


def test_pointing_at_nothing_says_so_instead_of_downloading(tmp_path, file, monkeypatch):
    serve(monkeypatch, file)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PCMSIM_DATA", str(empty))
    with pytest.raises(DataError, match=r"PCMSIM_DATA = .*empty holds none of jsb/JSB_Chorales"):
        jsb.locate(None)
    with pytest.raises(DataError, match="no such file or folder"):
        jsb.locate(tmp_path / "nowhere")


def test_a_download_happens_once(file, monkeypatch, cache_folder):
    serve(monkeypatch, file)
    first = jsb.load_jsb()
    assert [p.name for p in cache_folder.iterdir()] == ["JSB_Chorales.npz"]
    file.unlink()
    assert jsb.load_jsb().source == first.source


def test_a_download_with_another_checksum_is_refused_and_not_kept(file, monkeypatch, cache_folder):
    serve(monkeypatch, file, sha256="0" * 64)
    with pytest.raises(DataError, match=r"SHA-256 is not 000.*PCMSIM_DATA"):
        jsb.load_jsb()
    assert not list(cache_folder.glob("**/*"))


def test_a_spoilt_file_in_the_cache_is_fetched_again(file, monkeypatch, cache_folder):
    serve(monkeypatch, file)
    cache_folder.mkdir()
    (cache_folder / "JSB_Chorales.npz").write_bytes(b"spoilt")
    assert len(jsb.load_jsb().train.rolls) == 229


def test_without_a_network_the_error_says_how_to_point_at_a_file():
    with pytest.raises(DataError, match=r"cannot be downloaded.*PCMSIM_DATA"):
        jsb.load_jsb()


@pytest.mark.data
def test_the_real_file_is_the_one_whose_checksum_is_known(data_folder):
    path = jsb.locate(data_folder)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == jsb.SHA256


@pytest.mark.data
def test_the_real_file_has_the_published_statistics(data_folder):
    data = jsb.load_jsb(data_folder)
    splits = (data.train, data.valid, data.test)
    lengths = [[len(roll) for roll in split.rolls] for split in splits]
    assert [(min(n), int(np.median(n)), max(n)) for n in lengths] == [
        (25, 57, 129),
        (32, 54, 144),
        (32, 57, 160),
    ]
    notes = [np.concatenate(split.rolls).sum(axis=1) for split in splits]
    assert [round(float(n.mean()), 3) for n in notes] == [3.898, 3.870, 3.887]
    assert (notes[2] == 0).sum() == 17
    keys = np.flatnonzero(np.concatenate(data.train.rolls).any(axis=0))
    assert (len(keys), keys[0], keys[-1]) == (51, 22, 75)


@pytest.mark.data
def test_the_masks_count_the_predicted_steps(data_folder):
    data = jsb.load_jsb(data_folder)
    splits = (data.train, data.valid, data.test)
    for rng in (None, np.random.default_rng(1)):
        counts = [sum(int(b.mask.sum()) for b in batches(split, 8, rng)) for split in splits]
        assert counts == [13578, 4526, 4648]


@pytest.mark.data
def test_a_truncated_copy_of_the_real_file_is_refused(data_folder, tmp_path):
    content = jsb.locate(data_folder).read_bytes()
    path = tmp_path / "JSB_Chorales.mat"
    for kept in (len(content) // 2, len(content) - 1):
        path.write_bytes(content[:kept])
        with pytest.raises(DataError, match=r"JSB_Chorales\.mat"):
            jsb.load_jsb(path)
