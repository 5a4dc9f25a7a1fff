import errno
import os

import pytest
import torch

from pcmsim.errors import DataError
from pcmsim.loop import checkpoint as module
from pcmsim.loop.checkpoint import FILE, Checkpoint, EpochReport, load_checkpoint, save_checkpoint


def checkpoint_of(epochs):
    history = tuple(
        EpochReport(i, 0.1 + i, 1 / (3 + i), 0.001, 0.2, 1.5) for i in range(1, epochs + 1)
    )
    base = torch.arange(6.0).reshape(2, 3) + epochs
    return Checkpoint(
        history,
        weights={"hidden0.weight": base.T, "readout.bias": base[0]},
        best={"hidden0.weight": -base},
        moments={"readout.bias/step": torch.tensor(4.0), "readout.bias/exp_avg": base / 3},
    )


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    saved = checkpoint_of(3)
    save_checkpoint(saved, tmp_path)
    found = load_checkpoint(tmp_path)
    assert found.history == saved.history
    for group in ("weights", "best", "moments"):
        values, wanted = getattr(found, group), getattr(saved, group)
        assert values.keys() == wanted.keys()
        assert all(torch.equal(values[name], wanted[name]) for name in wanted)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_run_that_never_saved_has_no_checkpoint(tmp_path):
    assert load_checkpoint(tmp_path) is None


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_full_disk_leaves_the_epoch_before(tmp_path, monkeypatch, moment):
    save_checkpoint(checkpoint_of(2), tmp_path)

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, moment, refuse)
    with pytest.raises(DataError, match=r"checkpoint.*No space left.*resume"):
        save_checkpoint(checkpoint_of(3), tmp_path)
    assert len(load_checkpoint(tmp_path).history) == 2
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_damaged_checkpoint_is_refused(tmp_path):
    save_checkpoint(checkpoint_of(2), tmp_path)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:-7])
    with pytest.raises(DataError, match="is damaged"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_of_another_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FORMAT", 2)
    save_checkpoint(checkpoint_of(2), tmp_path)
    monkeypatch.setattr(module, "FORMAT", 1)
    with pytest.raises(DataError, match="not a checkpoint of format 1"):
        load_checkpoint(tmp_path)
