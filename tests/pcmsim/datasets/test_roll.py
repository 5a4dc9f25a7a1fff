import numpy as np
import pytest

from pcmsim.datasets.roll import as_roll, fingerprint, from_pitches
from pcmsim.errors import DataError


def test_pitch_21_is_the_first_key_and_108_the_last():
    roll = from_pitches([[21, 60], [], [108]])
    assert roll.shape == (3, 88)
    assert roll.dtype == np.uint8
    assert np.argwhere(roll).tolist() == [[0, 0], [0, 39], [2, 87]]


@pytest.mark.parametrize("value", [2.0, -1.0, np.nan, 0.5, 257.0])
def test_anything_but_zero_and_one_is_refused(value):
    roll = np.zeros((3, 88))
    roll[1, 7] = value
    with pytest.raises(DataError, match=r"here.*only 0 and 1"):
        as_roll(roll, "here")


@pytest.mark.parametrize("shape", [(4, 87), (88, 4), (88,), (2, 2, 88), (1, 88), (0, 88)])
def test_a_wrong_shape_is_refused(shape):
    with pytest.raises(DataError, match="shape"):
        as_roll(np.zeros(shape), "here")


def test_text_is_no_roll():
    with pytest.raises(DataError, match="only 0 and 1"):
        as_roll(np.full((3, 88), "1"), "here")


def test_the_fingerprint_sees_values_lengths_and_splits():
    a, b = np.eye(4, 88, dtype=np.uint8), np.eye(2, 88, 3, dtype=np.uint8)
    variants = [
        {"train": [a], "valid": [b], "test": []},
        {"train": [b], "valid": [a], "test": []},
        {"train": [a, b], "valid": [], "test": []},
        {"train": [a[:2], a[2:]], "valid": [b], "test": []},
        {"train": [np.roll(a, 1, axis=1)], "valid": [b], "test": []},
    ]
    assert len({fingerprint(v) for v in variants}) == len(variants)
    assert fingerprint(variants[0]) == fingerprint({**variants[0], "train": [a.copy()]})
