"""Live runs: what they leave, that they go on, and what they refuse."""

import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

from pcmsim import runlog
from pcmsim.cli import console
from pcmsim.config import build
from pcmsim.datasets import Dataset
from pcmsim.datasets.regression import Regression
from pcmsim.errors import UsageError
from pcmsim.jobs import End, live

TINY = {
    "seed": 1,
    "data": {"name": "synthetic"},
    "network": {"unit": "ssnu", "hidden": [12]},
    "training": {"epochs": 2, "batch_size": 4, "learning_rate": 0.02},
    "hardware": {"scale": "column"},
    "loop": {
        "checkpoint_minutes": 0.0,
        "phases": [{"rule": {"name": "accumulate"}, "epochs": 1, "learning_rate": 0.01}],
    },
    "live": {"pause_s": 60.0, "interval": 2, "window": 2},
}


KERNEL = {"channels": 2, "kernel": 3}


def table(run):
    found = runlog.read(run / "live.h5")
    return {name: column for name, column in found.items() if name != "seconds"}


def changed(**sections):
    return build({**TINY, **sections})


def test_a_stream_that_is_stopped_and_ended_goes_on_as_an_unbroken_one(tmp_path):
    whole = live(build(TINY), tmp_path / "whole", end=End(sequences=6))

    def stop(done, _):
        if done == 3:
            raise console.Stopped

    with pytest.raises(console.Stopped):
        live(build(TINY), tmp_path / "run", on_sequence=stop)
    live(build(TINY), tmp_path / "run", resume=True, end=End(sequences=5))
    results = live(build(TINY), tmp_path / "run", resume=True, end=End(sequences=6))
    assert results == whole
    rows, wanted = table(tmp_path / "run"), table(tmp_path / "whole")
    for name in rows | wanted:
        np.testing.assert_array_equal(rows[name], wanted[name], err_msg=name)
    assert rows["sequences"].tolist() == [2.0, 4.0, 6.0]
    assert np.diff(rows["chip_s"]).min() > 2 * 60.0
    live(build(TINY), tmp_path / "again", end=End(sequences=2), known_run=tmp_path / "whole")
    assert table(tmp_path / "again")["loss"][0] == wanted["loss"][0]
    pairs = (rows["loss"][1:] + rows["loss"][:-1]) / 2
    np.testing.assert_allclose(rows["sliding_loss"], [rows["loss"][0], *pairs])
    assert results["set_pulses"] == rows["set_pulses"].sum() > 0


def test_the_command_streams_until_the_chip_shows_the_time_and_can_be_frozen(pcmsim, tmp_path):
    path, run = tmp_path / "tiny.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(TINY))
    code, out, err = pcmsim("live", path, "--out", run, "--frozen", "--hours", 0.04)
    assert code == 0, err
    assert "synthetic, frozen: 4 sequences, chip at 3" in out
    assert table(run)["set_pulses"].sum() == 0
    code, _, err = pcmsim("live", path, "--out", run, "--resume")
    assert code == 2
    assert "live.frozen = False" in err
    shutil.copy(run / "log.h5", run / "live.h5")
    foreign = (run / "live.h5").read_bytes()
    code, _, err = pcmsim("live", path, "--out", run, "--frozen", "--resume")
    assert code == 3
    assert "live.h5 has the columns activity, " in err
    assert (run / "live.h5").read_bytes() == foreign


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"live": None}, "needs the sections live and loop"),
        ({"loop": None}, "needs the sections live and loop"),
        ({"loop": {**TINY["loop"], "dropout": 0.1}}, "loop.dropout = 0.1"),
        ({"loop": {**TINY["loop"], "forward": "readback"}}, "loop.forward = readback"),
        ({"network": {"unit": "ssnu", "trained_decay": True}}, "live.learning.rule ostl is for"),
        (
            {"network": {"unit": "alif"}},
            r"live\.learning\.rule ostl is for network\.readout.*write live\.frozen: true",
        ),
        (
            {"network": {"unit": "snu", "image": [1, 8, 11], "convolutions": [KERNEL]}},
            r"live\.learning\.rule ostl knows no layers.*; write live\.frozen: true",
        ),
        ({"aware": {"training": TINY["training"]}}, "take out the section aware"),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_work(sections, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        live(changed(**sections), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_interval_without_a_target_has_no_loss_and_the_stream_goes_on(tmp_path, monkeypatch):
    """Weather of which five days are missing, between two windows that are known."""
    chance = np.random.default_rng(3)
    x, y = (tuple(chance.normal(size=(3, 6, n)).astype(np.float32)) for n in (2, 1))
    mask = tuple(np.full(6, known) for known in (True, False, True))
    splits = [Regression(name, x, y, mask) for name in ("train", "valid", "test")]
    monkeypatch.setattr(
        sys.modules["pcmsim.jobs.live"], "load", lambda *_: Dataset("jena", *splits, "made")
    )
    network = {"unit": "ssnu", "inputs": 2, "hidden": [4], "outputs": 1}
    settings = {"pause_s": 60.0, "interval": 1, "window": 1}
    sections = {"data": {"name": "jena"}, "network": network, "live": settings}
    results = live(changed(**sections), tmp_path / "run", end=End(sequences=3))
    found = table(tmp_path / "run")["loss"]
    assert np.isnan(found).sum() == 1
    assert results["loss_mean"] == pytest.approx(np.nanmean(found))
    assert (results["loss_first"] is None) == bool(np.isnan(found[0]))


def test_ends_that_are_none_are_refused():
    with pytest.raises(UsageError, match="sequences = 0"):
        End(sequences=0)
    with pytest.raises(UsageError, match="hours = nan"):
        End(hours=float("nan"))


@pytest.mark.slow
def test_ctrl_c_ends_a_stream_with_exit_code_130_and_a_state_to_go_on_from(tmp_path):
    path, run = tmp_path / "tiny.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(TINY))
    command = [sys.executable, "-m", "pcmsim", "live", str(path), "--out", str(run)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not (run / "live.h5").exists() and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped; what was written stays" in err
    before = table(run)["loss"]
    live(build(TINY), run, resume=True, end=End(sequences=2 * len(before) + 4))
    np.testing.assert_array_equal(table(run)["loss"][: len(before)], before)
