import importlib.metadata
import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from pcmsim.config import Data
from pcmsim.datasets import Dataset, bach, load
from pcmsim.errors import DataError, UsageError

SCRIPT = """
from pathlib import Path
from pcmsim.datasets import bach, cache
cache.folder = lambda: Path("cache")
data = bach.load_bach(3)
print(len(data.train.rolls), data.source)
"""


@pytest.fixture
def music21():
    return pytest.importorskip("music21", reason="pip install 'pcmsim[music]'")


@pytest.fixture
def spoken(monkeypatch, cache_folder):
    """Stand-in for the workers: pieces "p00" ... "p19", of which "p13" has five parts."""
    asked = []

    def parse(names):
        for name in names:
            asked.append(name)
            number = int(name[1:])
            yield None if number == 13 else np.eye(number + 2, 88, dtype=np.uint8)

    monkeypatch.setattr(
        bach, "_ask", lambda _: iter([str([f"p{i:02}" for i in range(20)]).replace("'", '"')])
    )
    monkeypatch.setattr(bach, "_parse", parse)
    monkeypatch.setattr(bach, "_music21_version", lambda: "0.0")
    return asked


def lengths(data: Dataset) -> list[list[int]]:
    return [[len(roll) for roll in split.rolls] for split in (data.train, data.valid, data.test)]


def test_all_pieces_are_split_60_20_20_and_one_is_skipped(spoken, caplog):
    with caplog.at_level(logging.INFO, logger="pcmsim"):
        found = lengths(bach.load_bach())
    assert [len(n) for n in found] == [11, 4, 4]
    assert sorted(n for ns in found for n in ns) == [i + 2 for i in range(20) if i != 13]
    assert "skipped 1 of 20" in caplog.text


def test_the_order_is_shuffled_once_and_for_all(spoken):
    bach.load_bach()
    assert sorted(spoken) != spoken
    assert spoken[:5] == ["p15", "p13", "p04", "p01", "p11"]  # another order moves every split


def test_no_piece_changes_sides_when_there_are_more(spoken):
    few, many = lengths(bach.load_bach(6)), lengths(bach.load_bach(15))
    for some, more in zip(few, many, strict=True):
        assert some == more[: len(some)]


@pytest.mark.parametrize("pieces", [3, 10, 19])
def test_no_more_pieces_are_read_than_are_needed(spoken, pieces):
    data = bach.load_bach(pieces)
    assert sum(len(n) for n in lengths(data)) == pieces
    assert len(spoken) == pieces + ("p13" in spoken)


def test_more_pieces_than_there_are_means_all(spoken):
    assert lengths(bach.load_bach(99)) == lengths(bach.load_bach())


def test_progress_counts_every_piece(spoken):
    calls = []
    bach.load_bach(19, lambda done, total: calls.append((done, total)))
    assert [done for done, _ in calls] == list(range(1, len(calls) + 1))
    assert calls[-1][0] == calls[-1][1] == len(spoken)


def test_a_second_run_reads_the_cache(spoken):
    first = bach.load_bach(5)
    spoken.clear()
    second = bach.load_bach(5, lambda done, total: pytest.fail("nothing to build"))
    assert spoken == []
    assert second.source == first.source
    assert lengths(second) == lengths(first)


def test_a_spoilt_cache_is_built_again(spoken, cache_folder, caplog):
    first = bach.load_bach(5)
    (file,) = cache_folder.iterdir()
    content = file.read_bytes()
    file.write_bytes(content[:200])
    assert bach.load_bach(5).source == first.source
    assert "building it again" in caplog.text
    assert file.read_bytes() == content


def test_another_version_of_the_corpus_is_another_cache(spoken, monkeypatch):
    bach.load_bach(5)
    spoken.clear()
    monkeypatch.setattr(bach, "_music21_version", lambda: "0.1")
    bach.load_bach(5)
    assert spoken


def test_a_cache_that_cannot_be_written_costs_no_data(spoken, cache_folder, caplog):
    cache_folder.write_text("a file where the folder should be")
    assert sum(len(n) for n in lengths(bach.load_bach(5))) == 5
    assert "cannot be written" in caplog.text


def test_fewer_pieces_than_splits_are_refused(spoken):
    with pytest.raises(UsageError, match=r"data\.pieces = 2; .* at least 3"):
        bach.load_bach(2)


def test_without_music21_the_error_says_what_to_install(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(DataError, match=r"pip install 'pcmsim\[music\]'"):
        load(Data(name="bach"), seed=0)


def test_a_worker_that_dies_is_one_clear_line(tmp_path, monkeypatch, cache_folder):
    monkeypatch.setattr(bach, "_music21_version", lambda: "0.0")
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho first line >&2\necho Killed: out of memory >&2\nexit 137\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(
        DataError, match=r"^reading the music21 corpus failed: Killed: out of memory$"
    ):
        bach.load_bach(3)


def test_a_script_without_a_main_guard_builds_real_chorales(music21, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "scratch").mkdir()
    result = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path / "scratch")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.startswith("1 3 chorales of the music21")
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == ""
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.slow
def test_the_whole_corpus_resembles_the_canonical_chorales(music21, cache_folder):
    data = bach.load_bach()
    rolls = [roll for split in (data.train, data.valid, data.test) for roll in split.rolls]
    notes = np.concatenate(rolls).sum(axis=1)
    keys = np.flatnonzero(np.concatenate(rolls).any(axis=0)) + 21
    assert len(rolls) > 300
    assert 3.8 < notes.mean() < 4.0
    assert notes.max() <= 8
    assert 40 <= np.median([len(roll) for roll in rolls]) <= 60
    assert keys.min() >= 34  # no bass below B flat 1
    assert keys.max() <= 84  # no soprano above C6
