"""Runs with chips in the loop: what they leave, how they resume, and how they fail."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from pcmsim import jobs, runlog
from pcmsim.clock import Clock
from pcmsim.config import build, dump
from pcmsim.errors import DataError, UsageError
from pcmsim.loop import HardwareError, MockCrossbar

TINY = {
    "seed": 1,
    "data": {"name": "synthetic"},
    "network": {"unit": "ssnu", "hidden": [12]},
    "training": {"epochs": 4, "batch_size": 4, "learning_rate": 0.02},
    "hardware": {"scale": "column"},
    "loop": {
        "chips": 2,
        "corrections": 2,
        "dropout": 0.1,
        "batch_size": 4,
        "checkpoint_minutes": 0.0,
        "compensation": ["none", "global", "affine"],
        "phases": [
            {"rule": {"name": "reprogram", "g_threshold": 0.5}, "epochs": 2, "wait_s": 60.0},
            {"rule": {"name": "accumulate"}, "epochs": 1},
            {"rule": {"name": "digital"}, "epochs": 1},
        ],
    },
}
FINE = {"name": "accumulate", "g_step": 0.05}
AWARE = {"training": {"epochs": 2, "batch_size": 4, "learning_rate": 0.02}}


def changed(**loop):
    return build({**TINY, "loop": {**TINY["loop"], **loop}})


def without_seconds(value):
    """The same without what a clock on the wall measured."""
    if isinstance(value, dict):
        return {k: without_seconds(v) for k, v in value.items() if not k.endswith("seconds")}
    return [without_seconds(v) for v in value] if isinstance(value, list) else value


def logs(run):
    tables = [runlog.read(run / f"chip{i}" / "log.h5") for i in range(2)]
    return [{k: v for k, v in t.items() if k != "seconds"} for t in tables]


def same_logs(first, second):
    for a, b in zip(logs(first), logs(second), strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    run = tmp_path_factory.mktemp("unbroken") / "run"
    return run, jobs.train(build(TINY), run)


def test_results_tell_every_stage_compensation_and_time_over_the_chips(unbroken):
    _, results = unbroken
    cells = {(c["stage"], c["compensation"], c["t_s"]) for c in results["stages"]}
    assert cells == {
        (stage, kind, t_s)
        for stage in ("transfer", "in_loop")
        for kind in ("none", "global", "affine")
        for t_s in (0.0, 3600.0, 86400.0, 345600.0)
    }
    for cell in results["stages"]:
        assert len(cell["per_chip"]) == 2
        assert cell["mean"] == pytest.approx(np.mean(cell["per_chip"]))
        assert cell["std"] == pytest.approx(np.std(cell["per_chip"], ddof=1))
    assert results["devices"] == 2 * 2 * 88 * 12


def test_training_in_the_loop_recovers_part_of_what_transfer_loses(unbroken):
    _, results = unbroken
    found = {
        c["stage"]: c["mean"]
        for c in results["stages"]
        if (c["compensation"], c["t_s"]) == ("none", 0.0)
    }
    assert found["in_loop"] < found["transfer"]


def test_the_log_tells_what_was_done_to_the_devices_and_the_time_of_the_chip(unbroken):
    run, results = unbroken
    table = runlog.read(run / "chip0" / "log.h5")
    assert list(table["phase"]) == [0, 1, 1, 2, 3]
    assert table["programmed"][0] >= results["devices"]
    assert np.all(table["programmed"][3:] == 0)
    assert np.all(table["set_pulses"][[0, 1, 2, 4]] == 0)
    assert np.all(np.diff(table["chip_s"]) > 0.0)
    assert table["chip_s"][2] - table["chip_s"][0] > 120.0  # two epochs, a minute before each
    wear = results["chips"][0]["wear"]
    asked = table["set_pulses"].sum()
    assert sum(w["set_pulses"] for w in wear.values()) == asked
    # Every programming melts a device once, and so did its making.
    melts = table["programmed"].sum() + table["resets"].sum() + results["devices"]
    assert sum(w["resets"] for w in wear.values()) == melts


def test_the_start_may_be_a_network_trained_on_disturbed_weights(tmp_path):
    run = tmp_path / "run"
    one_chip = {"chips": 1, "times_s": [0.0]}
    config = build({**TINY, "aware": AWARE, "loop": {**TINY["loop"], **one_chip}})
    results = jobs.train(config, run)
    assert (run / "aware" / "weights.safetensors").exists()
    assert np.isfinite(results["aware_metric"])
    assert len(results["stages"]) == 2 * 3


def test_software_training_is_taken_over_from_a_run_of_the_same_network(unbroken, tmp_path):
    config = changed(chips=1, times_s=[0.0], phases=[{"rule": {"name": "digital"}, "epochs": 1}])
    epochs = []
    results = jobs.train(config, tmp_path / "run", on_epoch=epochs.append, known=unbroken[0])
    assert not epochs
    assert results["software_metric"] == unbroken[1]["software_metric"]
    other = build({**TINY, "seed": 2})
    with pytest.raises(UsageError, match="another seed"):
        jobs.train(other, tmp_path / "other", known=unbroken[0])
    assert not (tmp_path / "other").exists()


def test_a_run_without_aware_training_gives_its_software_network_to_one_that_has_it(
    unbroken, tmp_path
):
    one_chip = {
        "chips": 1,
        "times_s": [0.0],
        "phases": [{"rule": {"name": "digital"}, "epochs": 1}],
    }
    config = build({**TINY, "aware": AWARE, "loop": {**TINY["loop"], **one_chip}})
    epochs, aware = [], []
    hooks = {"on_epoch": epochs.append, "on_aware": aware.append}
    results = jobs.train(config, tmp_path / "run", known=unbroken[0], **hooks)
    assert not epochs
    assert len(aware) == AWARE["training"]["epochs"]
    assert results["software_metric"] == unbroken[1]["software_metric"]


SCRIPT = """
import os, signal, sys
from pathlib import Path
from pcmsim import files
from pcmsim.config import load_config
from pcmsim.jobs import train

name, count = sys.argv[3], int(sys.argv[4])
replace = os.replace

def kill(source, target):
    global count
    if Path(target).name == name:
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

files.os.replace = kill
train(load_config(Path(sys.argv[1])), Path(sys.argv[2]), resume=Path(sys.argv[2]).exists())
"""


def start(tmp_path, run, name="never", count=0):
    config = tmp_path / "config.yaml"
    config.write_text(dump(build(TINY)))
    command = [sys.executable, "-c", SCRIPT, str(config), str(run), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("count", [7, pytest.param(40, marks=pytest.mark.slow)])
def test_a_run_killed_while_it_writes_a_checkpoint_goes_on_bit_for_bit(unbroken, tmp_path, count):
    """SIGKILL between the writing of the file and its taking the place of the one before."""
    run = tmp_path / "run"
    killed = start(tmp_path, run, "checkpoint.safetensors", count)
    killed.communicate(timeout=100)
    assert killed.returncode == -signal.SIGKILL
    assert not (run / "results.json").exists()
    assert list(run.rglob("*.partial"))
    results = jobs.train(build(TINY), run, resume=True)
    assert without_seconds(results) == without_seconds(unbroken[1])
    same_logs(run, unbroken[0])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_run_killed_at_many_random_moments_goes_on_bit_for_bit(unbroken, tmp_path):
    """Killed again and again, 0.5 to 8 s after each start; twenty times in all, two runs."""
    rng = np.random.default_rng(3)
    for number in range(2):
        run = tmp_path / f"run{number}"
        for _ in range(10):
            process = start(tmp_path, run)
            time.sleep(rng.uniform(2.0, 12.0))
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            if run.exists() and not (run / "environment.json").exists():
                for file in run.iterdir():
                    file.unlink()
                run.rmdir()
        results = jobs.train(build(TINY), run, resume=run.exists())
        assert without_seconds(results) == without_seconds(unbroken[1])
        same_logs(run, unbroken[0])


class Bench:
    """One chip that outlives the runs on it, and what was asked of it."""

    def __init__(self):
        self.arrays, self.verb, self.left, self.pulses = {}, "never", 0, []

    def __call__(self, shapes, hardware, seed):
        clock = Clock()
        for name, shape in shapes.items():
            self.arrays.setdefault(name, BenchCrossbar(self, (2, hardware.pairs, *shape), clock))
        return self.arrays

    def fails(self, verb):
        self.left -= verb == self.verb
        return verb == self.verb and self.left == 0


class BenchCrossbar(MockCrossbar):
    """Perfect devices on a bench where one call raises or, for products, returns NaN."""

    def __init__(self, bench, shape, clock):
        super().__init__(shape, clock=clock)
        self.bench = bench

    def program(self, g_target, where=None):
        self._fail("program")
        super().program(g_target, where)

    def pulse(self, counts):
        self.bench.pulses.append(int(np.abs(counts).sum()))
        self._fail("pulse")
        super().pulse(counts)

    def read(self, where=None):
        self._fail("read")
        return super().read(where)

    def multiply(self, x):
        y = super().multiply(x)
        return y * np.nan if self.bench.fails("multiply") else y

    def _fail(self, verb):
        if self.bench.fails(verb):
            raise OSError("the probe card lost contact")


def open_bench(shapes, hardware, seed):
    return open_bench.bench(shapes, hardware, seed)


def with_driver(tmp_path, monkeypatch, **loop):
    monkeypatch.setitem(sys.modules, "bench_driver", sys.modules[__name__])
    monkeypatch.setattr(open_bench, "bench", Bench(), raising=False)
    values = {**TINY, "loop": {**TINY["loop"], "times_s": [0.0], "chips": 1, **loop}}
    values["hardware"] = {"scale": "column", "driver": "bench_driver:open_bench"}
    return build(values), tmp_path / "run"


@pytest.mark.parametrize(
    ("verb", "left"),
    [
        ("program", 2),
        ("program", 4),
        ("program", 8),
        ("pulse", 1),
        ("pulse", 6),
        ("read", 2),
        ("multiply", 9),
        ("multiply", 60),
    ],
)
def test_hardware_that_fails_ends_the_run_in_one_line_and_no_pulse_is_sent_twice(
    tmp_path, monkeypatch, verb, left
):
    """Of the transfer, of programming and in each phase; the run goes on on the same devices."""
    phases = [*TINY["loop"]["phases"][:1], {"rule": FINE, "epochs": 1, "learning_rate": 0.01}]
    config, run = with_driver(tmp_path, monkeypatch, phases=phases)
    bench = open_bench.bench
    bench.verb, bench.left = verb, left
    message = "not finite" if verb == "multiply" else "probe card"
    with pytest.raises(HardwareError, match=message) as caught:
        jobs.train(config, run)
    assert "\n" not in str(caught.value)
    lost = bench.pulses[-1] if verb == "pulse" else 0
    results = jobs.train(config, run, resume=True)
    assert len(results["stages"]) == 2 * 3
    table = runlog.read(run / "chip0" / "log.h5")
    assert sum(bench.pulses) == table["set_pulses"].sum() + table["resets"].sum() + lost > 0


def test_a_lab_s_own_driver_is_trained_in_the_loop(tmp_path, monkeypatch):
    config, run = with_driver(tmp_path, monkeypatch)
    results = jobs.train(config, run)
    cells = [c for c in results["stages"] if c["compensation"] == "none"]
    assert [c["stage"] for c in cells] == ["transfer", "in_loop"]
    assert cells[0]["mean"] == pytest.approx(results["software_metric"], abs=1e-3)
    assert results["chips"][0]["wear"] == {}


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("hardware", {"driver": "no.such.module:open"}, "cannot be imported"),
        ("hardware", {"driver": "json"}, "package.module:function"),
        ("loop", {"times_s": [10.0, 0.0]}, "must increase"),
        ("hardware", {"device": "no-such-set"}, "no parameter set"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    tmp_path, section, values, message
):
    config = build({**TINY, section: {**TINY[section], **values}})
    with pytest.raises(UsageError, match=message):
        jobs.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_of_a_chip_is_named(unbroken, tmp_path):
    import shutil

    run = shutil.copytree(unbroken[0], tmp_path / "run")
    (run / "results.json").unlink()
    (run / "chip1" / "results.json").unlink()
    path = run / "chip1" / "checkpoint.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="chip1"):
        jobs.train(build(TINY), run, resume=True)
    assert json.loads((run / "chip0" / "results.json").read_text())["chip"] == 0
