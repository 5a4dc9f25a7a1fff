import logging

import pytest

from pcmsim.datasets import penn_treebank
from pcmsim.datasets.penn_treebank import load_penn_treebank
from pcmsim.errors import DataError

TEXTS = (" the <unk> sat \n the N cats sat \n the end \n", " the cats \n", " sat <unk> \n N \n")


@pytest.fixture
def folder(tmp_path):
    for file, text in zip(penn_treebank.FILES, TEXTS, strict=True):
        (tmp_path / file).write_text(text)
    return tmp_path


def words(split):
    return " ".join(split.vocabulary[i] for i in split.ids)


def test_frequent_words_come_first_and_equal_ones_by_their_letters(folder):
    data = load_penn_treebank(folder)
    assert data.train.vocabulary == ("<eos>", "the", "sat", "<unk>", "N", "cats", "end")
    assert data.valid.vocabulary == data.test.vocabulary == data.train.vocabulary


def test_lines_end_with_a_word_of_their_own(folder):
    data = load_penn_treebank(folder)
    assert words(data.train) == "the <unk> sat <eos> the N cats sat <eos> the end <eos>"
    assert words(data.valid) == "the cats <eos>"
    assert words(data.test) == "sat <unk> <eos> N <eos>"
    assert [s.name for s in (data.train, data.valid, data.test)] == ["train", "valid", "test"]


def test_the_window_is_that_of_the_user(folder):
    assert load_penn_treebank(folder, window=2).test.steps() == [2, 2]


def test_an_unknown_word_is_refused_by_name_and_place(folder):
    (folder / "ptb.test.txt").write_text("the cats\nsat dogs\n")
    with pytest.raises(DataError, match=r"ptb\.test\.txt: word 5, 'dogs', is not in ptb\.train"):
        load_penn_treebank(folder)


def test_other_counts_than_published_are_taken_with_a_warning(folder, caplog, monkeypatch):
    with caplog.at_level(logging.WARNING):
        load_penn_treebank(folder)
    assert "7 different words, 12 in all to train with, 3 to choose by and 5" in caplog.text
    caplog.clear()
    monkeypatch.setattr(penn_treebank, "COUNTS", (12, 3, 5))
    monkeypatch.setattr(penn_treebank, "WORDS", 7)
    load_penn_treebank(folder)
    assert not caplog.text


@pytest.mark.parametrize(("content", "says"), [(b"", "holds 0 words"), (b"a \xff", "as text")])
def test_what_is_no_text_is_refused(folder, content, says):
    (folder / "ptb.valid.txt").write_bytes(content)
    with pytest.raises(DataError, match=says):
        load_penn_treebank(folder)
