import numpy as np
import pytest

from pcmsim.datasets import Labelled, batches
from pcmsim.errors import UsageError


def split(lengths=(3, 5, 4)):
    inputs = tuple(np.full((n, 2), n, np.int8) for n in lengths)
    labels = tuple(np.arange(n) - 1 for n in lengths)
    return Labelled("train", inputs, labels)


def test_steps_without_label_and_padding_do_not_count():
    batch = split().batch([0, 1])
    assert batch.inputs.shape == (5, 2, 2)
    assert batch.mask.sum(axis=0).tolist() == [2, 4]  # the first step of each has no label
    assert batch.targets[:3, 0].tolist() == [0, 0, 1]
    assert not batch.inputs[3:, 0].any()


def test_a_sequence_with_one_class_counts_all_its_steps():
    whole = Labelled("test", split().inputs, (np.int64(4), np.int64(0), np.int64(7)))
    batch = whole.batch([2, 0])
    assert (whole.kind, batch.kind) == ("sequence_class", "sequence_class")
    assert batch.targets.tolist() == [7, 4]
    assert batch.mask.sum(axis=0).tolist() == [4, 3]


def test_every_sequence_comes_once_in_an_order_that_is_drawn():
    rng = np.random.default_rng(1)
    seen = [int(b.inputs[0, 0, 0]) for b in batches(split(range(2, 12)), 1, rng)]
    assert sorted(seen) == list(range(2, 12))
    assert seen != sorted(seen)


def test_the_first_sequences_are_a_split_of_their_own():
    assert split().first(2).steps() == [3, 5]


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        ((), (), "at least one"),
        ((np.zeros((3, 2)),), (), "1 inputs and 0 labels"),
        ((np.zeros(3),), (np.zeros(3),), r"train\[0\]: inputs \(3,\)"),
        ((np.zeros((3, 2)),), (np.zeros(2),), r"labels \(2,\)"),
        ((np.zeros((3, 2)),) * 2, (np.zeros(3), np.int64(1)), r"train\[1\]"),
    ],
)
def test_inputs_and_labels_that_do_not_belong_together_are_refused(inputs, labels, message):
    with pytest.raises(UsageError, match=message):
        Labelled("train", inputs, labels)
