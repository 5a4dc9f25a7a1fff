import pytest
import yaml

from pcmsim.config import build, dump
from pcmsim.errors import UsageError
from pcmsim.jobs import train
from pcmsim.networks import load_network


def config(initial, seed=0, **network):
    """A training that leaves the network as it was initialised, but for rounding."""
    training = {"epochs": 1, "batch_size": 40, "learning_rate": 1e-30, "optimiser": "sgd"}
    values = {"unit": "snu", "hidden": [30, 20], "threshold": 2.0, "initial": initial} | network
    return build(
        {"seed": seed, "data": {"name": "synthetic"}, "network": values, "training": training}
    )


def test_a_run_starts_from_the_regime_that_its_configuration_names(tmp_path):
    wide, same, narrow = (
        train(config({"name": "fluctuation", "xi": xi}), tmp_path / name)
        for name, xi in (("wide", 1.0), ("same", 1.0), ("narrow", 1.6))
    )
    assert wide["activity"] == same["activity"]
    assert wide["activity"] > 1.5 * narrow["activity"] > 0.0
    first, again = (load_network(tmp_path / name) for name in ("wide", "same"))
    assert first.hidden1.weight.equal(again.hidden1.weight)
    assert first.spec.initial.name == "fluctuation"


def test_a_network_saved_before_there_was_a_choice_still_loads(tmp_path):
    train(config("glorot"), tmp_path / "run")
    description = yaml.safe_load((tmp_path / "run" / "network.yaml").read_text())
    assert (description["format"], "initial" in description["network"]) == (2, False)
    assert load_network(tmp_path / "run").spec.initial.name == "glorot"


def test_a_threshold_that_nothing_reaches_is_refused_before_there_is_a_folder(tmp_path):
    with pytest.raises(UsageError, match="hidden0 sends nothing to hidden1"):
        train(config({"name": "fluctuation", "xi": 1000.0}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("initial", "network", "message"),
    [
        ("fluctuation", {"unit": "ssnu"}, "unit ssnu has the threshold 2; choose snu"),
        ("fluctuation", {"threshold": 0.0}, "unit snu has the threshold 0"),
        ({"name": "fluctuation", "xi": 0.0}, {}, "network.initial.xi = 0.0"),
        ({"name": "fluctuation", "xi": 1e-30}, {}, "network.initial.xi = 1e-30.* 0.001"),
        ({"name": "fluctuation", "xi": 1e30}, {}, "network.initial.xi = 1e.30.* 1000"),
        ({"name": "fluctuation", "recurrent_share": 1.0}, {}, "recurrent_share = 1.0"),
        ({"name": "glorot", "xi": 1.0}, {}, "network.initial.xi is not a known key"),
        ("orthogonal", {}, "network.initial = .*'glorot', 'fluctuation'"),
        (3, {}, "network.initial = 3: write {name: glorot}, or another initial"),
    ],
)
def test_what_cannot_be_initialised_so_is_refused(initial, network, message):
    with pytest.raises(UsageError, match=message):
        config(initial, **network)


def test_a_name_alone_is_enough_and_the_default_is_glorot():
    assert "xi: 2.0" in dump(config("fluctuation"))
    plain = {"unit": "snu"}
    values = {"data": {"name": "jsb"}, "network": plain}
    training = {"epochs": 1, "batch_size": 1, "learning_rate": 0.1}
    assert build(values | {"training": training}).network.initial.name == "glorot"
