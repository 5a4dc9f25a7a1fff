import errno
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pcmsim.config import build, load_config
from pcmsim.errors import DataError, UsageError
from pcmsim.jobs import folder


def config_of(**training):
    values = {"epochs": 2, "batch_size": 3, "learning_rate": 0.1, **training}
    return build(
        {"seed": 5, "data": {"name": "jsb"}, "network": {"unit": "snu"}, "training": values}
    )


@pytest.fixture
def run(tmp_path):
    folder.create(tmp_path / "runs" / "a", "train", config_of(), "chorales, SHA-256 12ab")
    return tmp_path / "runs" / "a"


def test_a_run_folder_says_what_was_run_on_what_and_when(run, monkeypatch):
    assert load_config(run / "config.yaml") == config_of()
    about = json.loads((run / "environment.json").read_text())
    assert about["kind"] == "train"
    assert about["format"] == folder.FORMAT
    assert about["seed"] == 5
    assert about["data_source"] == "chorales, SHA-256 12ab"
    assert set(about["versions"]) == {"python", "pcmsim", "torch", "numpy", "numba"}
    assert about["versions"]["python"] == ".".join(str(part) for part in sys.version_info[:3])
    assert sys.argv[0] in about["command"]
    age = datetime.now(UTC) - datetime.fromisoformat(about["started_utc"])
    assert timedelta(0) <= age < timedelta(minutes=5)


def test_the_commit_is_that_of_the_checkout_or_nothing(tmp_path):
    assert folder._commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    (tmp_path / "file").write_text("one")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    wanted = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert folder._commit(tmp_path) == wanted.stdout.strip()
    (tmp_path / "file").write_text("two")
    assert folder._commit(tmp_path) == wanted.stdout.strip() + "-dirty"


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"is not empty; name another folder or remove it"):
        folder.create(tmp_path, "train", config_of(), "")
    with pytest.raises(UsageError, match=r"mine.txt is a file; name a folder"):
        folder.create(tmp_path / "mine.txt", "train", config_of(), "")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_made_is_a_fault_of_the_disk(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be made"):
        folder.create(tmp_path / "file" / "run", "train", config_of(), "")


def test_the_same_config_is_accepted(run):
    folder.check_same(run, "train", config_of())


def test_another_config_is_refused_with_the_key_and_both_values(run):
    with pytest.raises(UsageError, match=r"^training.epochs = 9, but .* started with 2; resume"):
        folder.check_same(run, "train", config_of(epochs=9))


def test_a_run_of_another_kind_is_refused(run):
    with pytest.raises(DataError, match=r"is a run of kind 'train'; 'deploy' was expected"):
        folder.check_same(run, "deploy", config_of())


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UsageError, match="holds no run to resume"):
            folder.check_same(path, "train", config_of())


def test_other_data_are_refused_with_both_sources(run):
    folder.check_same_data(run, "chorales, SHA-256 12ab")
    with pytest.raises(UsageError, match=r"started on .*12ab; found now: .*34cd; resume"):
        folder.check_same_data(run, "chorales, SHA-256 34cd")


def test_results_are_read_from_the_folder_or_the_file(run):
    values = {"kind": "train", "format": folder.FORMAT, "software_metric": 8.72}
    folder.write_json(run / "results.json", values)
    assert folder.read_results(run) == values
    assert folder.read_results(run / "results.json", "train") == values
    with pytest.raises(DataError, match="kind 'train'; 'calibrate' was expected"):
        folder.read_results(run, "calibrate")


def test_results_of_another_format_are_refused(run):
    folder.write_json(run / "results.json", {"kind": "train", "format": 99})
    with pytest.raises(DataError, match=r"is of format 99; this version reads format 1"):
        folder.read_results(run)


@pytest.mark.parametrize("text", ["{", "[1, 2]", "\x80"])
def test_damaged_results_are_refused(run, text):
    (run / "results.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"results.json (cannot be read|holds)"):
        folder.read_results(run)


def test_an_unfinished_run_has_no_results(run, tmp_path):
    for path in (run, tmp_path / "absent"):
        with pytest.raises(DataError, match="the run is not finished"):
            folder.read_results(path)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "values.json"
    folder.write_json(path, {"a": 1})

    def refuse(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DataError, match=r"values.json cannot be written.*No space"):
        folder.write_json(path, {"a": 2})
    assert folder.read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
