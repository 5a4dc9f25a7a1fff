import itertools

import numpy as np
import pytest

from pcmsim.datasets import batches
from pcmsim.datasets.tokens import Tokens
from pcmsim.errors import UsageError
from pcmsim.rng import stream

WORDS = tuple("abcdefghij")
IDS = np.random.default_rng(1).integers(0, 10, 101)


@pytest.mark.parametrize("window", [1, 7, 10, 99, 100, 101])
def test_every_word_but_the_first_is_predicted_once_from_the_one_before(window):
    text = Tokens("train", IDS, WORDS, window)
    pairs = []
    for batch in batches(text, 3):
        for b in range(batch.mask.shape[1]):
            seen = batch.mask[:, b]
            pairs += zip(batch.inputs[seen, b], batch.targets[seen, b], strict=True)
    assert pairs == list(itertools.pairwise(IDS))
    assert sum(text.steps()) == 100
    assert len(text.steps()) == len(text)


def test_a_shuffled_epoch_has_the_same_words():
    text = Tokens("train", IDS, WORDS, 7)
    shuffled = np.concatenate([b.targets[b.mask] for b in batches(text, 4, stream(1, "x"))])
    np.testing.assert_array_equal(np.sort(shuffled), np.sort(IDS[1:]))


def test_the_first_pieces_are_those_of_the_whole():
    text = Tokens("train", IDS, WORDS, 7)
    np.testing.assert_array_equal(text.first(2).batch([1]).targets, text.batch([1]).targets)
    assert text.first(2).steps() == [7, 7]
    assert text.kind == "words"


@pytest.mark.parametrize(
    ("ids", "window", "says"),
    [
        (IDS[:1], 5, "at least two words"),
        (IDS[None], 5, "at least two words"),
        (IDS, 0, "windows of at least one"),
        (IDS + 1, 5, "ids from 1 to 10; the vocabulary has 10"),
        (IDS - 1, 5, "ids from -1"),
    ],
)
def test_what_is_no_text_is_refused(ids, window, says):
    with pytest.raises(UsageError, match=says):
        Tokens("test", ids, WORDS, window)
