"""Every unit on data that are no chorales, from a configuration to chips that drift."""

import h5py
import pytest

from pcmsim import jobs
from pcmsim.config import build
from pcmsim.errors import UsageError


def digits(unit, readout="dense", **training):
    return build(
        {
            "data": {"name": "digits", "steps": 8, "max_rate": 4.0},
            "network": {
                "unit": unit, "inputs": 64, "hidden": [30], "outputs": 10, "readout": readout,
                "recurrent": unit == "alif",
            },
            "training": {"epochs": 2, "batch_size": 16, "learning_rate": 5.0e-3} | training,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "readout"),
    [("snu", "spiking"), ("ssnu", "dense"), ("li_snu", "spiking"), ("asnu", "dense"),
     ("lif", "leaky"), ("alif", "leaky")],
)  # fmt: skip
def test_every_unit_learns_digits_and_goes_onto_chips(tmp_path, unit, readout):
    run = tmp_path / "run"
    trained = jobs.train(digits(unit, readout), run)
    assert trained["metric"] == {"name": "error rate", "unit": "1"}
    assert trained["software_metric"] < 0.75  # chance is wrong nine times in ten
    aged = jobs.drift(run, chips=1, days=0.01, compensations=("global",))
    last = aged["drift"][-1]["mean"]
    assert 0.0 < last < 0.85
    assert "error rate" in jobs.report(run).read_text()


def test_convolutions_learn_digits_and_go_onto_chips(tmp_path):
    values = digits("snu").model_dump(mode="json")
    first = {"channels": 6, "kernel": 3, "padding": 1, "pool": 2}
    values["network"] |= {
        "image": [1, 8, 8], "convolutions": [first, {"channels": 8, "kernel": 3}],
        "hidden": [], "threshold": 0.5,
    }  # fmt: skip
    run = tmp_path / "run"
    trained = jobs.train(build(values), run)
    assert trained["network"] == "64-6c3p2-8c3-10"
    assert trained["software_metric"] < 0.75
    layers = trained["operations"]["layers"]
    assert [(row["name"], row["inputs"], row["units"]) for row in layers] == [
        ("conv0", 64, 384), ("conv1", 96, 32), ("readout", 32, 10),
    ]  # fmt: skip
    with h5py.File(run / "raster.h5") as file:
        assert {name: data.shape for name, data in file.items()} == {
            "conv0": (8, 96), "conv1": (8, 32),
        }  # fmt: skip
    aged = jobs.drift(run, chips=1, days=0.01, compensations=("global",))
    assert aged["network"] == "64-6c3p2-8c3-10"
    assert 0.0 < aged["drift"][-1]["mean"] < 0.85
    assert "64-6c3p2-8c3-10" in jobs.report(run).read_text()


def test_rules_that_follow_eligibilities_refuse_convolutions(tmp_path):
    config = build(
        {
            "data": {"name": "synthetic"},
            "network": {
                "unit": "snu", "image": [1, 8, 11], "convolutions": [{"channels": 2, "kernel": 3}],
            },
            "training": {"epochs": 1, "batch_size": 4, "learning_rate": 1.0e-3},
            "learning": {"rule": "ostl"},
        }
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"network\.convolutions: learning\.rule ostl knows no"):
        jobs.train(config, tmp_path / "run")


def test_a_rule_that_learns_step_by_step_is_refused_where_steps_have_no_target(tmp_path):
    config = digits("snu").model_dump(mode="json") | {"learning": {"rule": "ostl"}}
    with pytest.raises(UsageError, match="needs a target at every step"):
        jobs.train(build(config), tmp_path / "run")


def test_rates_are_refused_for_notes_before_any_work(tmp_path):
    config = build(
        {
            "data": {"name": "synthetic"},
            "network": {"unit": "snu", "readout": "spiking"},
            "training": {"epochs": 1, "batch_size": 4, "learning_rate": 1.0e-3},
        }
    )
    with pytest.raises(UsageError, match="readout: dense"):
        jobs.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
