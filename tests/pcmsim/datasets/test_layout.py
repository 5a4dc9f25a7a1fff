import json

import numpy as np
import pytest
import scipy.io

from pcmsim.datasets import layout
from pcmsim.errors import DataError


@pytest.fixture
def splits() -> dict[str, list[np.ndarray]]:
    rng = np.random.default_rng(2)
    lengths = {"train": (2, 9, 4), "valid": (3, 7), "test": (5,)}
    return {
        name: [(rng.random((n, 88)) < 0.1).astype(np.uint8) for n in ns]
        for name, ns in lengths.items()
    }


def cells(rolls) -> np.ndarray:
    box = np.empty((1, len(rolls)), dtype=object)
    box[0] = rolls
    return box


def write_mat(path, splits) -> None:
    scipy.io.savemat(path, {f"{name}data": cells(rolls) for name, rolls in splits.items()})


def write_pitches(path, splits) -> None:
    lists = {
        name: [[(np.flatnonzero(step) + 21).tolist() for step in roll] for roll in rolls]
        for name, rolls in splits.items()
    }
    path.write_text(json.dumps(lists))


def write_rows(path, splits) -> None:
    path.write_text(json.dumps({k: [roll.tolist() for roll in v] for k, v in splits.items()}))


def write_npz(path, splits) -> None:
    path.write_bytes(layout.pack(splits))


WRITERS = [
    pytest.param(write_mat, ".mat", id="mat"),
    pytest.param(write_pitches, ".json", id="json pitches"),
    pytest.param(write_rows, ".json", id="json rows"),
    pytest.param(write_npz, ".npz", id="npz"),
]


@pytest.mark.parametrize(("write", "ending"), WRITERS)
def test_each_layout_gives_back_the_rolls_it_was_made_of(tmp_path, splits, write, ending):
    path = tmp_path / f"rolls{ending}"
    write(path, splits)
    found = layout.read(path)
    assert list(found) == ["train", "valid", "test"]
    for name, rolls in splits.items():
        assert len(found[name]) == len(rolls)
        for got, made in zip(found[name], rolls, strict=True):
            assert got.dtype == np.uint8
            np.testing.assert_array_equal(got, made)


@pytest.mark.parametrize(("write", "ending"), WRITERS)
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused_in_one_line(tmp_path, splits, write, ending, kept):
    path = tmp_path / f"rolls{ending}"
    write(path, splits)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match="rolls") as caught:
        layout.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("write", "ending"), [WRITERS[0], WRITERS[2], WRITERS[3]])
@pytest.mark.parametrize("value", [2.0, np.nan])
def test_a_wrong_value_is_refused_by_roll(tmp_path, splits, write, ending, value):
    path = tmp_path / f"rolls{ending}"
    if write is write_npz:
        splits = {name: [roll.astype(float) for roll in rolls] for name, rolls in splits.items()}
    else:
        splits["valid"] = [roll.astype(float) for roll in splits["valid"]]
    splits["valid"][1][4, 30] = value
    write(path, splits)
    with pytest.raises(DataError, match=r"valid\[1\] holds the value (2|nan)"):
        layout.read(path)


@pytest.mark.parametrize(("write", "ending"), [WRITERS[0], WRITERS[2]])
def test_a_missing_key_column_is_refused_by_roll(tmp_path, splits, write, ending):
    splits["test"][0] = splits["test"][0][:, :87]
    path = tmp_path / f"rolls{ending}"
    write(path, splits)
    with pytest.raises(DataError, match=r"test\[0\]"):
        layout.read(path)


@pytest.mark.parametrize("pitch", [20, 109, 60.0, True, "60", None])
def test_a_pitch_off_the_keyboard_is_refused_by_step(tmp_path, splits, pitch):
    path = tmp_path / "rolls.json"
    write_pitches(path, splits)
    content = json.loads(path.read_text())
    content["train"][1][3] = [64, pitch]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"train\[1\] step 3 .*21 to 108"):
        layout.read(path)


@pytest.mark.parametrize(
    "content", ["[1, 2]", '{"train": [], "valid": []}', '{"train": 3}', "[" * 9999]
)
def test_json_of_another_shape_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "rolls.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"rolls\.json") as caught:
        layout.read(path)
    assert "\n" not in str(caught.value)


def test_an_archive_that_bears_pickles_is_refused(tmp_path, splits):
    path = tmp_path / "rolls.npz"
    boxes = {name: cells(rolls)[0] for name, rolls in splits.items()}
    np.savez(path, **boxes, **{f"{name}_lengths": [1] for name in splits})
    with pytest.raises(DataError, match="allow_pickle"):
        layout.read(path)


@pytest.mark.parametrize(
    ("lengths", "complaint"),
    [
        ([2, 9, 5], "add up to 16"),
        ([2.0, 9.0, 4.0], "whole"),
        ([20, -9, 4], "whole"),
        ([[15]], "whole"),
    ],
)
def test_lengths_that_do_not_fit_the_rolls_are_refused(tmp_path, splits, lengths, complaint):
    path = tmp_path / "rolls.npz"
    path.write_bytes(layout.pack(splits))
    arrays = dict(np.load(path)) | {"train_lengths": np.array(lengths)}
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=complaint):
        layout.read(path)


def test_an_ending_that_is_not_known_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(DataError, match=r"'\.pickle'.*\.mat, \.json, \.npz"):
        layout.read(tmp_path / "JSB_Chorales.pickle")


def test_a_lone_array_is_no_archive(tmp_path, splits):
    np.save(tmp_path / "rolls.npy", splits["train"][0])
    (tmp_path / "rolls.npy").rename(tmp_path / "rolls.npz")
    with pytest.raises(DataError, match=r"rolls\.npz"):
        layout.read(tmp_path / "rolls.npz")
