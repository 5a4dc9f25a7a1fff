import json
import signal
import subprocess
import sys
import time

import pytest
import yaml

from pcmsim import runlog
from pcmsim.cli import console
from pcmsim.devices import parameter_set_names

TINY = {
    "seed": 1,
    "data": {"name": "synthetic"},
    "network": {"unit": "snu", "hidden": [8]},
    "training": {"epochs": 2, "batch_size": 4, "learning_rate": 0.01},
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return path


def test_train_drift_and_report_work_in_a_row(pcmsim, config, tmp_path):
    run = tmp_path / "run"
    code, out, _ = pcmsim("train", config, "--out", run, "--set", "seed=4")
    assert code == 0
    assert "test" in out
    assert json.loads((run / "results.json").read_text())["seed"] == 4
    code, out, _ = pcmsim("drift", run, "--chips", 2, "--days", 0.01, "--compensation", "column")
    assert code == 0
    assert "column" in out
    assert "software" in out
    words = ("--streaming", "--step-s", 1e-5, "--out", run / "streamed")
    code, out, _ = pcmsim("drift", run, "--chips", 1, "--days", 5e-5, *words)
    assert code == 0
    assert "streamed" in out
    assert json.loads((run / "streamed" / "results.json").read_text())["step_s"] == 1e-5
    assert "a stream through the test split that starts then" in (run / "report.html").read_text()
    warm = ("--days", 0.01, "--chips", 1, "--out", run / "warm", "--temperature")
    assert pcmsim("drift", run, *warm, 40)[0] == 0
    assert json.loads((run / "warm" / "results.json").read_text())["temperature"]["celsius"] == 40
    code, _, err = pcmsim("drift", run, *warm, tmp_path / "none.csv")
    assert code == 3
    assert "none.csv cannot be read" in err.replace("\n", " ")
    (run / "report.html").unlink()
    code, out, _ = pcmsim("report", run)
    assert code == 0
    assert (run / "report.html").stat().st_size > 10_000


def test_brackets_in_names_are_shown_and_not_obeyed(pcmsim, config, tmp_path):
    run = tmp_path / "a [red]x[" / "b]"
    code, out, err = pcmsim("train", config, "--out", run)
    assert code == 0, err
    assert str(run) in out


def test_ctrl_c_says_what_stays(config, tmp_path):
    words = ["train", str(config), "--set", "training.epochs=60000", "--out", str(tmp_path / "run")]
    command = [sys.executable, "-m", "pcmsim", *words]
    log = tmp_path / "run" / "log.h5"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        while not log.exists() and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped; what was written stays" in err
    assert "Traceback" not in err
    assert len(runlog.read(log)["epoch"]) >= 1


def test_ctrl_c_waits_for_the_next_step_and_the_second_does_not(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    console.listen_for_ctrl_c()
    with console.progress() as display:
        bar = console.Bar(display, "steps")
        bar(1, 3)
        console._stop()
        with pytest.raises(console.Stopped):
            console._stop()
        with pytest.raises(console.Stopped):
            bar(2, 3)
    console.listen_for_ctrl_c()
    with pytest.raises(console.Stopped):
        console._stop()
    console.listen_for_ctrl_c()


def test_a_finished_run_is_not_trained_again(pcmsim, config, tmp_path):
    run = tmp_path / "run"
    pcmsim("train", config, "--out", run)
    before = (run / "weights.safetensors").read_bytes()
    code, _, err = pcmsim("train", config, "--out", run)
    assert code == 2
    assert "not empty" in err
    assert pcmsim("train", config, "--out", run, "--resume")[0] == 0
    assert (run / "weights.safetensors").read_bytes() == before


def test_devices_are_listed_and_shown_with_their_sources(pcmsim):
    _, out, _ = pcmsim("devices")
    for name in parameter_set_names():
        assert name in out
    code, out, _ = pcmsim("devices", "pcm-gst-90nm")
    assert code == 0
    for word in ("t0_s", "uS", "ICECS 2019", "curves", "█"):
        assert word in out


def test_a_sample_prints_numbers_that_json_repeats(pcmsim):
    words = ("devices", "pcm-gst-90nm", "--sample", 2000, "--targets", "5,10", "--times", "1,3600")
    code, out, _ = pcmsim(*words, "--json", "--no-read-noise")
    rows = json.loads(out)
    assert code == 0
    assert [(r["g_target"], r["t_s"]) for r in rows] == [(5, 1), (5, 3600), (10, 1), (10, 3600)]
    assert rows[3]["mean"] == pytest.approx(7.758, abs=4 * rows[3]["mean_stderr"])
    code, out, _ = pcmsim(*words, "--no-read-noise")
    assert f"{rows[3]['mean']:.4f}" in out
    _, noisy, _ = pcmsim(*words, "--json", "--seed", 1)
    assert json.loads(noisy)[3]["std"] > rows[3]["std"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("devices", "pcm-gst"), 2, "did you mean pcm-gst-90nm"),
        (("devices", "--sample", "10"), 2, "need a parameter set"),
        (("devices", "ideal", "--json"), 2, "add --sample N"),
        (("devices", "ideal", "--set", "self=3"), 2, "self is not a known entry"),
        (("train", "{config}", "--out", "{tmp}/" + 300 * "x"), 3, "too long"),
        (("train", "{config}", "--data", "{tmp}"), 2, "reads no file"),
        (("train", "{config}", "--set", "hardware.device=nope"), 2, "no parameter set"),
        (("train", "{config}", "--set", "seed=2024-01-01"), 2, "seed = '2024-01-01'"),
        (("devices", "ideal", "--sample", "10", "--targets", "5,x"), 2, "--targets"),
        (("devices", "ideal", "--sample", "10", "--targets", "30"), 2, "outside 0 ... 25"),
        (("devices", "ideal", "--sample", "10", "--times", "-1"), 2, ">= 0 s"),
        (("devices", "ideal", "--set", "g_mx=1"), 2, "did you mean g_max"),
        (("train", "nowhere.yaml"), 2, "cannot be read"),
        (("train", "{config}", "--set", "training.epoch=5"), 2, "did you mean training.epochs"),
        (("drift", "{tmp}/nowhere"), 3, "not a run folder"),
        (("report", "{tmp}/nowhere"), 3, "nowhere"),
        (
            ("train", "{config}", "--set", "data.name=jsb", "--data", "{tmp}/none.mat"),
            3,
            "none.mat",
        ),
        (("nonsense",), 2, "No such command"),
        (("train",), 2, "Missing argument"),
    ],
)
def test_a_fault_gives_its_own_exit_code_and_one_clear_line(
    pcmsim, config, tmp_path, words, code, message
):
    words = [w.format(config=config, tmp=tmp_path) for w in words]
    found, out, err = pcmsim(*words)
    assert (found, out) == (code, "")
    assert message in " ".join(err.split())
    if "error:" in err:
        assert err.count("\n") == 1


def test_an_internal_error_is_not_disguised(config, tmp_path):
    """Exit code 1 and a traceback, so that it is reported and not searched for in the input."""
    script = (
        "import sys, pcmsim.jobs, pcmsim.cli.devices as d\n"
        "d._list = lambda: 1 / 0\n"
        "sys.argv = ['pcmsim', 'devices']\n"
        "from pcmsim.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("command", ["train", "drift", "report", "devices", "check", "demo"])
def test_help_reads_well(pcmsim, command):
    code, out, _ = pcmsim(command, "--help")
    assert code == 0
    assert "Usage" in out
    assert "TEXT  " not in out.split("Options")[0]


def test_the_version_is_that_of_the_package(pcmsim):
    assert pcmsim("--version")[1].startswith("pcmsim 0.")
