import json

import numpy as np
import pytest

from pcmsim.config import Hardware, load_config
from pcmsim.config.hardware import Timing
from pcmsim.crossbar import Chip
from pcmsim.datasets import load
from pcmsim.errors import UsageError
from pcmsim.jobs import drift, drift_times
from pcmsim.jobs.ageing import Plan, Task, age_chips
from pcmsim.jobs.streams import times_apart
from pcmsim.loop import program_network, stream
from pcmsim.networks import load_network
from pcmsim.rng import key
from pcmsim.units import LANDMARKS_S

IDEAL = Hardware(device="ideal", read_noise="none")


def means(results, kind):
    return {c["t_s"]: c["mean"] for c in results["drift"] if c["compensation"] == kind}


def test_the_results_say_how_the_network_was_measured(trained, tmp_path):
    at_once = drift(trained, tmp_path / "a", chips=1, days=5e-5)
    assert at_once["inference"] == "batched"
    assert "step_s" not in at_once
    streamed = drift(trained, tmp_path / "b", chips=1, days=5e-5, streaming=True, step_s=1e-3)
    assert json.loads((tmp_path / "b" / "results.json").read_text()) == streamed
    assert (streamed["inference"], streamed["step_s"]) == ("streaming", 1e-3)
    config = load_config(trained / "config.yaml")
    rolls = load(config.data, config.seed).test.rolls
    assert streamed["stream_s"] == pytest.approx(1e-3 * sum(len(r) - 1 for r in rolls))


def test_streams_on_ideal_devices_keep_the_software_metric(trained):
    results = drift(trained, chips=1, days=1e-3, hardware=IDEAL, streaming=True)
    for cell in results["drift"]:
        assert cell["mean"] == pytest.approx(results["software_metric"], abs=1e-5)
        wanted = results["software_metric_per_sequence"]
        assert cell["mean_per_sequence"] == pytest.approx(wanted, abs=1e-5)


def test_without_noise_streams_find_what_instants_do_with_each_compensation(trained, tmp_path):
    """A stream at full speed takes half a millisecond, in which nothing drifts."""
    options = {"chips": 1, "days": 1.0, "hardware": Hardware(read_noise="none")}
    at_once = drift(trained, tmp_path / "a", **options)
    streamed = drift(trained, tmp_path / "b", streaming=True, **options)
    for kind in ("none", "global"):
        wanted = means(at_once, kind)
        assert means(streamed, kind) == pytest.approx(wanted, rel=2e-5)
    assert abs(means(streamed, "none")[86400.0] - means(streamed, "global")[86400.0]) > 0.01


def test_streams_begin_when_the_results_say_so(trained, monkeypatch):
    """Each compensation on a chip of its own, at the same times, one stream after the other."""
    starts = []

    def noted(network, chip, *args, **options):
        began_s = chip.clock.now_s
        found = stream(network, chip, *args, **options)
        starts.append((began_s, chip.clock.now_s))
        return found

    monkeypatch.setattr("pcmsim.jobs.ageing.stream", noted)
    results = drift(trained, chips=1, days=0.02, hardware=IDEAL, streaming=True, step_s=0.1)
    times_s = list(means(results, "none"))
    assert [began_s for began_s, _ in starts] == [t_s for t_s in times_s for _ in range(2)]
    assert len(times_s) < len(drift_times(0.02))
    for (_, ended_s), (began_s, _) in zip(starts[1::2], starts[2::2], strict=False):
        assert ended_s <= began_s


def test_a_compensation_streams_the_same_numbers_whoever_else_does(trained, tmp_path):
    options = {"chips": 1, "days": 5e-5, "streaming": True, "step_s": 1e-5}
    both = drift(trained, tmp_path / "both", **options)
    alone = drift(trained, tmp_path / "alone", compensations=["global"], **options)
    assert means(both, "global") == means(alone, "global")
    assert means(both, "global") != means(both, "none")


def test_a_chip_streams_what_its_seed_streams_outside_of_the_run(trained):
    network, config = load_network(trained), load_config(trained / "config.yaml")
    test, hardware = load(config.data, config.seed).test, config.hardware
    chip = Chip(hardware, key(config.seed, "chip", 0), often=True)
    program_network(chip, network)
    wanted = []
    results = drift(
        trained, chips=1, days=5e-5, compensations=["none"], streaming=True, step_s=1e-4
    )
    for t_s in means(results, "none"):
        chip.clock.wait_until(t_s)
        chip.address_reads("none", t_s.hex())
        wanted.append(stream(network, chip, test, step_s=1e-4).evaluation.per_step)
    assert list(means(results, "none").values()) == wanted


def test_the_last_conductances_are_those_at_the_end_of_the_last_stream(trained):
    network, config = load_network(trained), load_config(trained / "config.yaml")
    test = load(config.data, config.seed).test
    hardware = Hardware(device="ideal", read_noise="none", timing=Timing(multiply_s=0.5))
    task = Task(network, test, hardware, Chip(hardware).parameter_set)
    (aged,) = age_chips(task, Plan((1.0, 2000.0), 1, ("none",), 1, step_s=0.0))
    assert aged.end_s == 2000.0 + sum(len(roll) - 1 for roll in test.rolls)


def test_a_run_that_is_left_stops_within_a_sequence(trained):
    network, config = load_network(trained), load_config(trained / "config.yaml")
    task = Task(network, load(config.data, 1).test, IDEAL, Chip(IDEAL).parameter_set)
    seen, plan = [], Plan((1.0, 2.0), 3, ("none",), 1, step_s=0.0)
    lives = age_chips(task, plan, lambda done, _: seen.append(done))
    next(lives)
    lives.close()
    assert len(seen) < 6


@pytest.mark.parametrize("seconds", [0.0, 3.0, 466.0, 2000.0, 5e4, 1e7])
def test_no_two_streams_overlap_and_no_time_that_has_room_is_left_out(seconds):
    times_s = drift_times(4.0)
    kept = times_apart(times_s, seconds)
    assert np.all(np.diff(kept) >= seconds)
    assert kept[0] == 1.0
    for t_s in set(times_s) - set(kept):
        assert min(abs(t_s - other_s) for other_s in kept) < seconds * (1 + 1e-6)
    if seconds < 3000.0:
        assert set(kept) >= set(LANDMARKS_S) - ({60.0} if seconds > 59.0 else set())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"step_s": 0.1}, "ask for streaming as well"),
        ({"streaming": True, "step_s": -0.1}, "step_s = -0.1: write a time from 0"),
        ({"streaming": True, "step_s": np.inf}, "step_s = inf: write a time from 0"),
        ({"streaming": True, "step_s": 1e6}, "ends within a year"),
    ],
)
def test_a_step_that_makes_no_stream_is_refused_before_any_work(trained, options, said):
    with pytest.raises(UsageError, match=said):
        drift(trained, **options)
    assert not (trained / "drift").exists()
