import json
import shutil

import h5py
import numpy as np
import pytest
import torch
import yaml

from pcmsim import runlog
from pcmsim.config import Hardware, Network, Temperature
from pcmsim.crossbar import Chip, factors, readout
from pcmsim.datasets import Split
from pcmsim.devices import load_parameter_set, parameter_set_names
from pcmsim.errors import DataError, UsageError
from pcmsim.jobs import drift, drift_times, hardware_of, temperature_of
from pcmsim.jobs.ageing import Plan, Task, _references
from pcmsim.loop import program_network
from pcmsim.networks import SpikingNetwork

RNG = np.random.default_rng(0)


def describe_for_file(parameter_set):
    entries = {name: vars(entry) for name, entry in parameter_set.entries.items()}
    return {"name": "one", "title": "t", "source": "s", "entries": entries}


def values(results, kind):
    return {c["t_s"]: c["mean"] for c in results["drift"] if c["compensation"] == kind}


def test_ideal_devices_keep_the_software_metric_for_four_days(trained):
    results = drift(trained, chips=2, hardware=Hardware(device="ideal"))
    for cell in results["drift"]:
        assert cell["mean"] == pytest.approx(results["software_metric"], abs=1e-5)
    assert results["devices"] == 2 * (88 * 12 + 12 * 88)


def test_drift_hurts_and_compensation_helps(trained):
    results = drift(trained, chips=3)
    none, compensated = values(results, "none"), values(results, "global")
    assert none[345600.0] > none[1.0] > results["software_metric"]
    assert compensated[345600.0] < none[345600.0]


def test_with_one_exponent_for_all_compensation_gives_back_the_first_day(trained, tmp_path):
    """Exactly, for a device without noise; without compensation the metric moves."""
    values_of_one = {
        "nu_mean": {"constant": 0.06},
        "nu_std": {"constant": 0.0},
        "stuck_set_nu": 0.06,
        "read_noise": {"constant": 0.0},
    }
    set_of_one = load_parameter_set("pcm-gst-90nm").with_values(**values_of_one)
    path = tmp_path / "one.yaml"
    path.write_text(yaml.safe_dump(describe_for_file(set_of_one)))
    results = drift(
        trained, chips=1, hardware=Hardware(device=str(path)), compensations=["none", "column"]
    )
    none, column = values(results, "none"), values(results, "column")
    np.testing.assert_allclose(list(column.values()), none[1.0], atol=5e-3)
    np.testing.assert_allclose(list(column.values()), column[1.0], atol=1e-4)
    assert abs(none[345600.0] - none[1.0]) > 0.02


@pytest.mark.parametrize("device", parameter_set_names())
def test_compensated_weights_have_their_size_again_on_every_set(device):
    """Mean of compensated over target weight, after a second and a day; the sets differ in t0."""
    weight = np.where(RNG.random((60, 80)) < 0.5, -1.0, 1.0) * RNG.uniform(0.4, 1.0, (60, 80))
    network = SpikingNetwork(Network(unit="ssnu", inputs=60, hidden=(80,), outputs=80))
    with torch.no_grad():
        network.hidden0.weight.copy_(torch.from_numpy(weight))
    hardware = Hardware(device=device)
    task = Task(network, Split("test", ()), hardware, load_parameter_set(device))
    plan = Plan((1.0,), 1, ("global",), 1)
    reference = _references(task, plan, 5)["global"]
    chip = Chip(hardware, 5)
    program_network(chip, network)
    for t_s in (1.0, 86400.0):
        chip.clock.wait_until(t_s)
        factor = factors(reference, readout(chip, "global"))["hidden0.weight"]
        slope = np.vdot(chip.weights("hidden0.weight") * factor, weight) / np.vdot(weight, weight)
        assert slope == pytest.approx(1.0, abs=0.04)


def test_ideal_devices_show_what_clipping_alone_costs(trained):
    clipped = drift(trained, chips=1, days=0.001, hardware=Hardware(clip_std=0.5))
    assert clipped["ideal_metric"] > clipped["software_metric"] + 1e-3


def test_a_network_that_is_not_the_configured_one_is_refused(trained):
    text = (trained / "config.yaml").read_text()
    (trained / "config.yaml").write_text(text.replace("decay: 0.8", "decay: 0.7"))
    with pytest.raises(DataError, match="differ"):
        drift(trained)
    assert not (trained / "drift").exists()


def test_every_chip_is_another(trained):
    results = drift(trained, chips=3, days=0.001)
    assert len(set(results["drift"][0]["per_chip"])) == 3


def test_the_results_hold_what_later_readers_look_for(trained):
    results = drift(trained, chips=2, days=4.0)
    assert json.loads((trained / "drift" / "results.json").read_text()) == results
    for key in ("task", "network", "software_metric", "software_metric_per_sequence"):
        assert key in results
    assert results["network"] == "88-12-88"
    for kind in ("none", "global"):
        assert {1.0, 3600.0, 86400.0, 345600.0} <= set(values(results, kind))
    for cell in results["drift"]:
        assert len(cell["per_chip"]) == 2
        assert cell["mean"] == pytest.approx(np.mean(cell["per_chip"]))
        assert cell["std"] == pytest.approx(np.std(cell["per_chip"], ddof=1))


def test_the_log_and_the_arrays_agree_with_the_results(trained):
    results = drift(trained, chips=2, compensations=["column"], days=0.01)
    table = runlog.read(trained / "drift" / "log.h5")
    assert len(table["chip"]) == 2 * len(results["drift"])
    first = [cell["per_chip"][0] for cell in results["drift"]]
    np.testing.assert_array_equal(table["metric_per_step"][table["chip"] == 0], first)
    assert set(table["compensation"]) == {2.0}
    with h5py.File(trained / "drift" / "arrays.h5") as file:
        group = file["hidden0.weight"]
        assert group["g_start"].shape == (2, 1, 88, 12)
        assert np.all(group["g_end"][:] <= group["g_start"][:])
        assert group.attrs["t_end_s"] == 864.0


def test_a_compensation_gives_the_same_numbers_whoever_else_is_measured(trained, tmp_path):
    both = drift(trained, tmp_path / "both", chips=1, days=0.05)
    alone = drift(trained, tmp_path / "alone", chips=1, days=0.05, compensations=["global"])
    assert values(both, "global") == values(alone, "global")


def test_chips_do_not_depend_on_how_many_there_are_and_seeds_matter(trained, tmp_path):
    few = drift(trained, tmp_path / "few", chips=1, days=0.001)
    many = drift(trained, tmp_path / "many", chips=2, days=0.001)
    other = drift(trained, tmp_path / "other", chips=1, days=0.001, seed=99)
    assert few["drift"][0]["per_chip"][0] == many["drift"][0]["per_chip"][0]
    assert few["drift"][0]["per_chip"] != other["drift"][0]["per_chip"]
    assert few["drift"][0]["std"] is None


def test_progress_counts_every_time_on_every_chip(trained):
    seen = []
    drift(trained, chips=2, days=0.001, on_chip=lambda done, total: seen.append((done, total)))
    n = len(drift_times(0.001))
    assert seen == [(i + 1, 2 * n) for i in range(2 * n)]


@pytest.mark.parametrize("days", [1e-4, 0.5, 4.0, 365.0])
def test_times_are_log_spaced_from_one_second_to_the_end(days):
    times = np.array(drift_times(days))
    assert times[0] == 1.0
    assert times[-1] == pytest.approx(days * 86400.0)
    assert np.all(np.diff(times) > 0)
    assert np.diff(np.log10(times)).max() <= 0.2505


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"days": -1.0}, "days = -1"),
        ({"days": float("nan")}, "days = nan"),
        ({"days": 1e-9}, "between 1 s"),
        ({"days": 1e9}, "1000 years"),
        ({"seed": -1}, "seed"),
        ({"chips": 1.5}, "chips = 1.5"),
        ({"chips": 10**9}, "chips = 1000000000"),
        ({"chips": 0}, "chips = 0"),
        ({"compensations": ["globl"]}, "compensation 'globl'"),
        ({"compensations": []}, "no compensation"),
        ({"hardware": Hardware(device="pcm-gst")}, "no parameter set 'pcm-gst'"),
    ],
)
def test_settings_that_are_not_allowed_leave_no_folder(trained, arguments, message):
    with pytest.raises(UsageError, match=message):
        drift(trained, **arguments)
    assert not (trained / "drift").exists()


def test_a_folder_in_use_is_not_overwritten(trained):
    drift(trained, chips=1, days=0.001)
    before = (trained / "drift" / "results.json").read_bytes()
    with pytest.raises(UsageError, match="not empty"):
        drift(trained, chips=1, days=0.001, seed=5)
    assert (trained / "drift" / "results.json").read_bytes() == before


def test_a_run_of_another_version_or_kind_or_none_is_refused(trained, tmp_path):
    with pytest.raises(DataError, match=r"results\.json"):
        drift(tmp_path / "nothing")
    results = json.loads((trained / "results.json").read_text())
    for change, message in (({"format": 99}, "format 99"), ({"kind": "drift"}, "kind 'drift'")):
        (trained / "results.json").write_text(json.dumps(results | change))
        with pytest.raises(DataError, match=message):
            drift(trained)
    assert not (trained / "drift").exists()


def test_weights_that_were_changed_are_refused_before_any_chip(trained):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(trained / "weights.safetensors")
    tensors["readout.weight"][3, 4] = np.nan
    save_file(tensors, trained / "weights.safetensors")
    with pytest.raises(DataError, match="weights"):
        drift(trained)
    assert not (trained / "drift").exists()


def test_hardware_comes_from_the_run_and_can_be_changed(trained):
    assert hardware_of(trained) == Hardware()
    changed = hardware_of(trained, "ideal", ("pairs=2", "hardware.clip_std=2.5"))
    assert (changed.device, changed.pairs, changed.clip_std) == ("ideal", 2, 2.5)
    with pytest.raises(UsageError, match=r"hardware\.pears is not a known key"):
        hardware_of(trained, None, ("pears=2",))
    shutil.rmtree(trained)
    with pytest.raises(DataError, match=r"results\.json"):
        hardware_of(trained)


def test_chips_written_in_a_closed_loop_age_from_its_end(trained):
    """Pulse, wait and read take simulated minutes; times count from when all is written."""
    hardware = hardware_of(
        trained, None, ("programming=verify", "verify={wait_s: 1.0, parallel: 64}")
    )
    results = drift(trained, days=1.0, chips=2, hardware=hardware)
    assert results["drift"][0]["t_s"] == 1.0
    assert all(np.isfinite(cell["mean"]) for cell in results["drift"])


QUICK = {"chips": 1, "days": 0.05}


def test_chips_in_the_warm_are_compensated_to_their_readout_at_the_reference(trained, tmp_path):
    """The activation that devices share goes; without compensation the metric moves."""
    cool = drift(trained, tmp_path / "cool", **QUICK)
    warm = drift(trained, tmp_path / "warm", temperature=Temperature(celsius=50.0), **QUICK)
    last = max(values(cool, "none"))
    shift = {k: abs(values(warm, k)[last] - values(cool, k)[last]) for k in ("none", "global")}
    assert shift["none"] > 3 * shift["global"]
    recorded = json.loads((tmp_path / "warm" / "results.json").read_text())["temperature"]
    assert recorded == {"celsius": 50.0, "lowest_c": 50.0, "highest_c": 50.0}
    assert "temperature" not in cool
    with (
        h5py.File(tmp_path / "warm" / "arrays.h5") as w,
        h5py.File(tmp_path / "cool" / "arrays.h5") as c,
    ):
        assert (
            w["hidden0.weight"]["g_start"][:].mean()
            > 1.2 * c["hidden0.weight"]["g_start"][:].mean()
        )


def test_a_bake_from_a_table_hurts_for_good(trained, tmp_path):
    (tmp_path / "bake.csv").write_text("t_s,temperature_c\n0,25\n100,85\n3700,25\n")
    bake = temperature_of(str(tmp_path / "bake.csv"))
    cool = drift(trained, tmp_path / "cool", compensations=["none"], **QUICK)
    baked = drift(trained, tmp_path / "baked", compensations=["none"], temperature=bake, **QUICK)
    assert values(baked, "none")[60.0] == pytest.approx(values(cool, "none")[60.0], abs=1e-4)
    last = max(values(cool, "none"))
    assert values(baked, "none")[last] > values(cool, "none")[last]


@pytest.mark.parametrize(
    ("changes", "celsius", "message"),
    [
        ({}, 90.0, "up to 85 °C"),
        ({"device": "ideal"}, 50.0, "holds at 25 °C only"),
        ({"programming": "verify"}, 50.0, "closed-loop programming is described at 25 °C"),
    ],
)
def test_temperatures_that_cannot_be_are_refused_before_any_work(
    trained, tmp_path, changes, celsius, message
):
    asked = {"hardware": Hardware(**changes), "temperature": Temperature(celsius=celsius)}
    with pytest.raises(UsageError, match=message):
        drift(trained, tmp_path / "out", **asked)
    assert not (tmp_path / "out").exists()


def test_a_number_is_a_temperature_and_anything_else_a_file():
    assert temperature_of("-5.5").celsius == -5.5
    assert temperature_of("./50").csv == "./50"
    for text in ("nan", "inf", "-300", " "):
        with pytest.raises(UsageError, match="°C"):
            temperature_of(text)
