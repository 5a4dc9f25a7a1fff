from pathlib import Path

import pytest

from pcmsim.config import build, build_study, dump, load_config, load_study, override
from pcmsim.datasets import FACTS
from pcmsim.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "seed": 3,
    "data": {"name": "jsb"},
    "network": {"unit": "snu", "hidden": [20, 10]},
    "training": {"epochs": 2, "batch_size": 8, "learning_rate": 0.001},
}


def changed(path, value):
    return override(GOOD, (f"{path}={value}",))


def test_what_is_dumped_loads_as_the_same_configuration(tmp_path):
    config = build(GOOD)
    (tmp_path / "config.yaml").write_text(dump(config))
    assert load_config(tmp_path / "config.yaml") == config


def test_an_override_wins_over_the_file(tmp_path):
    (tmp_path / "config.yaml").write_text(dump(build(GOOD)))
    config = load_config(tmp_path / "config.yaml", ("seed=9", "network.hidden=[5]"))
    assert config.seed == 9
    assert config.network.hidden == (5,)


FILES = sorted((ROOT / "configs").glob("*.yaml"))
STUDIES = [path for path in FILES if path.name.startswith("study-")]
RUNS = [path for path in FILES if path not in STUDIES and path.name != "campaign.yaml"]


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.name)
def test_every_shipped_configuration_is_valid(path):
    config = load_config(path)
    assert config.network.inputs == FACTS[config.data.name].inputs


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.name)
def test_every_shipped_study_is_valid_and_names_shipped_networks(path):
    study = load_study(path)
    assert {ROOT / name for name in study.networks.values()} <= set(RUNS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            changed("network.decai", 0.8),
            "network.decai is not a known key; did you mean network.decay",
        ),
        (changed("whatever", 1), "whatever is not a known key; known here: seed, data"),
        (changed("hardware.x.y", 1), "hardware.x is not a known key"),
        (changed("training.epochs", 0), "training.epochs = 0"),
        (changed("training.epochs", "many"), "training.epochs = 'many'"),
        (changed("training.epochs", 2.5), "training.epochs = 2.5"),
        (changed("training.learning_rate", "1e-3"), "write 1.0e-03"),
        (changed("training.learning_rate", ".nan"), "training.learning_rate = nan"),
        (changed("training.dropout", 1.0), "training.dropout = 1.0"),
        (changed("training.activity", {}), "training.activity: no bound is named"),
        (changed("training.activity", {"upper": 1.5}), "training.activity.upper = 1.5"),
        (
            changed("training.activity", {"lower": 0.2, "upper": 0.1}),
            "training.activity: lower = 0.2 is above upper = 0.1",
        ),
        (changed("network.unit", "lstm"), "network.unit = 'lstm'"),
        (changed("network.hidden", "[]"), "network.hidden"),
        (changed("network.decay", 1.5), "network.decay = 1.5"),
        (changed("seed", -1), "seed = -1"),
        (changed("seed", "true"), "seed = True"),
        (changed("data.name", "wav"), "data.name = 'wav'"),
        ({k: v for k, v in GOOD.items() if k != "network"}, "network is missing"),
        (GOOD | {"training": {"epochs": 1}}, "training.batch_size is missing"),
        (GOOD | {"training": 5}, "training = 5"),
    ],
)
def test_a_fault_is_named_by_its_dotted_path(values, message):
    with pytest.raises(UsageError) as found:
        build(values)
    assert message in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"unit": "snu", "adaptation": {"strength": 1.0}}, "network.adaptation: unit snu has none"),
        ({"unit": "ssnu", "surrogate": "tanh"}, "network.surrogate: unit ssnu has none"),
        ({"unit": "lif", "activation": "relu"}, "network.activation = 'relu': unit lif has none"),
        ({"unit": "lif", "decay": 1.0}, "network.decay = 1.0: a trained decay"),
        ({"unit": "snu", "trained_decay": True, "decay": 0.0}, "network.decay = 0.0: a trained"),
        (
            {"unit": "snu", "time_constants": [5, 50]},
            "network.time_constants = [5, 50]: time_const",
        ),
        ({"unit": "lif", "time_constants": [5, 50], "decay": 0.5}, "decay says the same"),
        ({"unit": "lif", "time_constants": [50, 5]}, "the first must not be above the second"),
        (
            {"unit": "lif", "surrogate": {"name": "x"}},
            "network.surrogate = {'name': 'x'}: input tag",
        ),
        (
            {"unit": "lif", "surrogate": {"name": "boxcar", "widht": 1.0}},
            "network.surrogate.widht is not a known key; did you mean network.surrogate.width?",
        ),
        ({"unit": "alif", "adaptation": {"strength": -1.0}}, "network.adaptation.strength = -1.0"),
        (
            {"unit": "asnu", "adaptation": {"time_constants": [5, 50]}},
            "network.adaptation: time_constants start decays that are trained",
        ),
        ({"unit": "lif", "readout": 3}, "network.readout = 3: write {name: dense}"),
    ],
)
def test_a_key_that_does_not_belong_to_the_unit_is_refused_by_its_path(network, message):
    with pytest.raises(UsageError) as found:
        build(GOOD | {"network": network})
    assert message in str(found.value)


@pytest.mark.parametrize("unit", ["snu", "ssnu", "li_snu", "asnu", "lif", "alif"])
def test_what_a_unit_has_is_filled_in_and_dumped(tmp_path, unit):
    config = build(GOOD | {"network": {"unit": unit, "readout": "leaky"}})
    (tmp_path / "config.yaml").write_text(dump(config))
    assert load_config(tmp_path / "config.yaml") == config
    assert (config.network.surrogate is None) == (unit == "ssnu")
    assert (config.network.adaptation is None) == (unit not in ("asnu", "alif"))
    assert config.network.trained_decay == (unit in ("lif", "alif"))
    assert config.network.threshold == (0.1 if unit == "alif" else 1.0)
    assert config.network.readout.decay == 0.9


def test_a_strength_that_is_left_out_is_that_of_the_unit():
    network = {"unit": "alif", "adaptation": {"time_constants": [5, 50]}}
    assert build(GOOD | {"network": network}).network.adaptation.strength == 1.8


@pytest.mark.parametrize("setting", ["seed", "=3", "seed.x=3", "seed=[1"])
def test_an_override_that_cannot_be_read_is_refused(setting):
    with pytest.raises(UsageError, match="--set"):
        override(GOOD, (setting,))


def test_a_file_that_is_no_configuration_is_refused(tmp_path):
    for name, text in (("a.yaml", "- 1\n- 2"), ("b.yaml", "a: [1"), ("c.yaml", "")):
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError, match=name):
            load_config(tmp_path / name)
    (tmp_path / "d.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("d.yaml", "none.yaml", "."):
        with pytest.raises(UsageError, match="cannot be read"):
            load_config(tmp_path / name)


def test_a_configuration_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="frozen"):
        build(GOOD).seed = 5


LOOP = {"phases": [{"rule": {"name": "digital"}, "epochs": 1}]}


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ({"phases": [{"rule": {"name": "digital"}, "epoch": 1}]}, "did you mean loop.phases.0.epo"),
        ({**LOOP, "chip": 2}, r"loop.chip is not a known key; did you mean loop.chips\?"),
        ({"phases": [{"rule": {"name": "digitl"}, "epochs": 1}]}, "'reprogram', 'digital'"),
        ({"phases": [{"rule": "digital", "epochs": 1}]}, "write {name: reprogram}"),
        (
            {"phases": [{"rule": {"name": "reprogram", "g_treshold": 1.0}, "epochs": 1}]},
            r"did you mean loop.phases.0.rule.g_threshold\?",
        ),
        ({"phases": [{"rule": {"name": "accumulate", "g_step": 1e-9}, "epochs": 1}]}, "g_step"),
        ({**LOOP, "times_s": [1e300]}, "loop.times_s.0"),
        ({**LOOP, "phases": []}, "loop.phases"),
    ],
)
def test_a_fault_in_the_loop_is_named_by_its_path_with_the_way_out(loop, message):
    values = {
        "data": {"name": "synthetic"},
        "network": {"unit": "snu"},
        "training": {"epochs": 1, "batch_size": 1, "learning_rate": 0.1},
        "loop": loop,
    }
    with pytest.raises(UsageError, match=message):
        build(values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"refreshes": {"d": {"every": 3.0}}}, r"refreshes\.d\.every is not a known key.*every_s"),
        ({"temperatures": {"t": {"celcius": 25.0}}}, r"temperatures\.t\.celcius .*celsius"),
        ({"cells": [{"networks": ["b"]}]}, r"study: cells\.0\.networks: 'b' is not defined"),
        ({"energy": {"multiply_pj": 1e308}}, r"energy\.multiply_pj"),
        ({"sensitivity": {"step": 1e-17}}, r"sensitivity\.step"),
        ({"sensitivity": {"samples": 65536, "chips": 10_000}}, r"sensitivity: .*evaluations"),
        (
            {"refreshes": {"d": {"every_s": 4e4, "what": "retrain", "learning_rate": 1e300}}},
            r"refreshes\.d\.learning_rate",
        ),
    ],
)
def test_what_is_wrong_in_a_study_is_told_by_its_path(change, words):
    values = {"networks": {"a": "x"}, "devices": {"g": "pcm-gst-90nm"}, "cells": [{}]}
    with pytest.raises(UsageError, match=words):
        build_study(values | change)
