import sys

import numpy as np
import pytest

from pcmsim.datasets.digits import load_digits, stratified
from pcmsim.errors import DataError, UsageError


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def test_every_image_is_in_one_split(digits):
    from sklearn.datasets import load_digits as original

    ink, labels = original(return_X_y=True)
    splits = (digits.train, digits.valid, digits.test)
    assert [len(split) for split in splits] == [1078, 360, 359]
    ours = sorted((s.images[i].tobytes(), int(s.labels[i])) for s in splits for i in range(len(s)))
    bright = np.rint(ink * 255 / 16).astype(np.uint8)
    assert ours == sorted(
        (image.tobytes(), int(n)) for image, n in zip(bright, labels, strict=True)
    )


def test_full_ink_is_the_brightest_pixel(digits):
    assert digits.train.images.max() == 255
    assert set(np.unique(digits.train.images)) == {int(np.rint(i * 255 / 16)) for i in range(17)}


def test_every_class_is_cut_by_itself_to_the_nearest_image():
    labels = np.repeat([0, 1, 2], [100, 50, 7])
    parts = stratified(labels)
    counts = {name: np.bincount(labels[i], minlength=3).tolist() for name, i in parts.items()}
    assert counts == {"train": [60, 30, 4], "valid": [20, 10, 2], "test": [20, 10, 1]}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(157))


def test_the_splits_are_mixed_along_the_file():
    # Mean place of 60 of 100 images: 49.5 with a standard deviation of 2.4; a run has 29.5.
    train = stratified(np.zeros(100, np.int64))["train"]
    assert abs(train.mean() - 49.5) < 4 * 2.4


def test_the_split_is_always_the_same(digits):
    again = load_digits(steps=5, max_rate=1.0)
    np.testing.assert_array_equal(again.train.images, digits.train.images)
    assert again.source == digits.source
    assert "SHA-256 0b7e9c32" in digits.source
    assert digits.train.labels[:6].tolist() == again.train.labels[:6].tolist()


def test_distortion_touches_training_alone():
    data = load_digits(elastic=True)
    assert [s.elastic for s in (data.train, data.valid, data.test)] == [True, False, False]


def test_a_rate_above_one_spike_per_step_is_refused():
    with pytest.raises(UsageError, match="max_rate = 7"):
        load_digits(steps=6, max_rate=7.0)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(DataError, match=r"pip install scikit-learn"):
        load_digits()
