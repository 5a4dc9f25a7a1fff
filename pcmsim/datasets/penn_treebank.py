"""The Penn Treebank, word by word, as prepared for language models with 10,000 words.

Marcus, Santorini and Marcinkiewicz, Comput. Linguist. 19, 313 (1993), in the preparation of
Mikolov et al., Interspeech 2010, doi:10.21437/Interspeech.2010-343: rare words are `<unk>`, numbers
`N`. A line is a sentence and ends with the word `<eos>`.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pcmsim.datasets import cache
from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.found import find
from pcmsim.datasets.tokens import Tokens
from pcmsim.errors import DataError

FILES = ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")
COUNTS = (929_589, 73_760, 82_430)  # words of each, with the ends of lines
WORDS = 10_000  # different ones
END = "<eos>"
WINDOW = 35
REMEDY = "fetch the three prepared files (doi:10.21437/Interspeech.2010-343)"

log = logging.getLogger(__name__)


def load_penn_treebank(path: Path | None = None, window: int = WINDOW) -> Dataset:
    """Load the text as `Tokens` in pieces of `window` words.

    The vocabulary is that of the training file, the most frequent word first, words of the same
    count in the order of their letters. `path` is a folder with the three files or one with a
    subfolder `ptb`, else PCMSIM_DATA names it. A text with other counts than the published
    929,589/73,760/82,430 words and 10,000 different ones is taken with a warning.
    Raises `DataError` in one line for files that are missing, empty or no text, and for a word
    that the training file lacks.
    """
    paths = find("ptb", FILES, path, REMEDY)
    texts = [read_words(file) for file in paths]
    vocabulary = ranked(texts[0])
    found = (len(vocabulary), *(len(text) for text in texts))
    if found != (WORDS, *COUNTS):
        log.warning(
            "%s: %s different words, %s in all to train with, %s to choose by and %s to test; "
            "published are %s, %s, %s and %s", paths[0].parent, *found, WORDS, *COUNTS,
        )  # fmt: skip
    number = {word: i for i, word in enumerate(vocabulary)}
    train, valid, test = (
        Tokens(name, numbered(text, number, file), vocabulary, window)
        for name, text, file in zip(("train", "valid", "test"), texts, paths, strict=True)
    )
    checksums = ", ".join(cache.checksum(file) for file in paths)
    source = f"Penn Treebank (doi:10.21437/Interspeech.2010-343), SHA-256 {checksums}"
    return Dataset("ptb", train, valid, test, source)


def read_words(path: Path) -> list[str]:
    """Words of a text, with `<eos>` at the end of each line. Raises `DataError`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text: {error}") from error
    words = [word for line in lines for word in (*line.split(), END)]
    if len(words) < 2:
        raise DataError(f"{path} holds {len(words)} words; a text has at least two")
    return words


def ranked(words: Sequence[str]) -> tuple[str, ...]:
    """Different words, the most frequent first, then by their letters.

    >>> ranked("b a c b a b".split())
    ('b', 'a', 'c')
    """
    counts = Counter(words)
    return tuple(sorted(counts, key=lambda word: (-counts[word], word)))


def numbered(
    words: Sequence[str], number: dict[str, int], path: Path
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Numbers of the words. Raises `DataError` for one that has none, naming it and its place."""
    unknown = next((word for word in words if word not in number), None)
    if unknown is not None:
        raise DataError(
            f"{path}: word {words.index(unknown) + 1}, {unknown!r:.40}, is not in {FILES[0]}; "
            f"the prepared text writes <unk> for it"
        )
    return np.array([number[word] for word in words], dtype=np.int64)
