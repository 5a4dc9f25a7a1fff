import numpy as np
import pytest

from pcmsim.datasets import batches
from pcmsim.datasets.rate_coded import RateCoded
from pcmsim.errors import UsageError
from pcmsim.rng import stream

GREY = np.full((6, 25), 255, np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9])


def split(images=GREY, labels=LABELS, **settings):
    return RateCoded("train", images, labels, **{"time_steps": 10, "max_rate": 5.0} | settings)


def test_a_batch_has_time_first_and_a_class_for_each_image():
    batch = split().batch([4, 0])
    assert batch.inputs.shape == (10, 2, 25)
    assert batch.targets.tolist() == [5, 3]
    assert batch.mask.shape == (10, 2)
    assert batch.mask.all()
    assert batch.kind == split().kind == "sequence_class"
    assert split().steps() == [10] * 6


def test_without_a_generator_an_image_fires_the_same_in_any_company():
    one = split().batch([4, 0, 2]).inputs
    np.testing.assert_array_equal(split().batch([2, 5, 4]).inputs[:, [2, 0]], one[:, [0, 2]])
    np.testing.assert_array_equal(split().first(3).batch([2]).inputs, one[:, [2]])
    assert (one[:, 0] != one[:, 1]).any()


def test_splits_do_not_share_their_spikes():
    other = RateCoded("test", GREY, LABELS, time_steps=10, max_rate=5.0)
    assert (other.batch([0]).inputs != split().batch([0]).inputs).any()


def test_with_a_generator_spikes_are_drawn_anew():
    rng = stream(1, "x")
    first, second = (split().batch([0, 1], rng).inputs for _ in range(2))
    assert (first != second).any()


def test_only_drawn_batches_are_distorted():
    rows = np.zeros((1, 784), np.uint8)
    rows[0, ::2] = 255  # columns, certain to fire
    train = split(rows, LABELS[:1], max_rate=10.0, elastic=True)
    np.testing.assert_array_equal(train.batch([0]).inputs[3, 0] * 255, rows[0])
    rates = train.batch([0], stream(2, "x")).inputs.mean(axis=0)
    assert ((rates > 0) & (rates < 1)).any()  # pixels between two columns are grey


def test_an_epoch_shows_every_image_once():
    shown = [label for batch in batches(split(), 4, stream(3, "x")) for label in batch.targets]
    assert sorted(shown) == sorted(LABELS)


def test_first_keeps_images_with_their_labels():
    assert split().first(2).labels.tolist() == [3, 1]
    assert len(split().first(2)) == 2


@pytest.mark.parametrize(
    ("images", "labels", "settings", "says"),
    [
        (GREY, LABELS[:5], {}, r"labels \(5,\)"),
        (GREY[0], LABELS, {}, r"images \(25,\)"),
        (GREY[:0], LABELS[:0], {}, "at least one"),
        (GREY, LABELS, {"max_rate": 11.0}, "max_rate = 11"),
    ],
)
def test_what_does_not_fit_together_is_refused(images, labels, settings, says):
    with pytest.raises(UsageError, match=says):
        split(images, labels, **settings)
