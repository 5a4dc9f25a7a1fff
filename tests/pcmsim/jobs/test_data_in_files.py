"""Spoken digits, weather and words, from the shipped configurations to chips that drift.

On small files of the published layouts.
"""

import json
import math
import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from pcmsim import jobs
from pcmsim.config import build, load_config
from pcmsim.errors import UsageError
from pcmsim.jobs.sizes import check_sizes

CONFIGS = Path(__file__).parents[3] / "configs"
WORDS = {
    "data": {"name": "ptb", "steps": 10},
    "network": {
        "unit": "ssnu", "inputs": 7, "hidden": [4], "outputs": 7, "recurrent": True,
        "embedding": 4, "tied": True,
    },
    "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.01},
}  # fmt: skip


@pytest.fixture
def spoken(tmp_path):
    """Recordings in each of which the channels of its class are louder."""
    rng = np.random.default_rng(1)
    for file, count in (("shd_train.h5", 40), ("shd_test.h5", 20)):
        with h5py.File(tmp_path / file, "w") as target:
            kinds = {"times": np.float16, "units": np.uint16}
            sets = {
                key: target.create_dataset(f"spikes/{key}", (count,), h5py.vlen_dtype(kind))
                for key, kind in kinds.items()
            }
            for i in range(count):
                sets["times"][i] = np.sort(rng.uniform(0, 1.35, 60)).astype(np.float16)
                sets["units"][i] = rng.integers(0, 35, 60).astype(np.uint16) + 35 * (i % 20)
            target["labels"] = np.arange(count) % 20
    return tmp_path


@pytest.fixture
def weather(tmp_path):
    """A table of hours whose temperature follows the day."""
    when = pd.date_range("2009-01-01", periods=600, freq="h")
    hour, noise = np.arange(600), np.random.default_rng(2).normal(size=600)
    table = {
        "Date Time": when.strftime("%d.%m.%Y %H:%M:%S"),
        "T (degC)": 10 + 5 * np.sin(hour * math.tau / 24) + 0.1 * noise,
        "p (mbar)": 990 + np.cos(hour * math.tau / 24),
    }
    pd.DataFrame(table).to_csv(tmp_path / "jena_climate_2009_2016.csv", index=False)
    return tmp_path


@pytest.fixture
def text(tmp_path):
    """Six words in turn, so that each is told by the one before, and the end of the line."""
    for name, turns in (("train", 60), ("valid", 12), ("test", 12)):
        (tmp_path / f"ptb.{name}.txt").write_text("a b c d e f " * turns)
    return tmp_path


def to_chips(config, data, *settings):
    """Results of a shipped configuration with other settings: in software, and on one chip."""
    run = data / "run"
    software = jobs.train(load_config(CONFIGS / config, settings), run, data)
    chips = jobs.drift(run, data_path=data, chips=1, days=1.0e-4, compensations=("global",))
    return software, chips


def test_spoken_digits_are_learnt_and_go_onto_chips(spoken):
    sizes = ("data.steps=10", "data.channels=70", "network.inputs=70", "network.hidden=[20]")
    trained = ("training.epochs=1", "training.batch_size=4", "training.learning_rate=0.02")
    software, chips = to_chips("shd-snu.yaml", spoken, *sizes, *trained)
    assert software["metric"] == {"name": "error rate", "unit": "1"}
    assert software["software_metric"] < 0.7  # chance is wrong in 0.95
    assert chips["drift"][-1]["mean"] < 0.9
    assert chips["devices"] == 2 * (70 * 20 + 20 * 20 + 20 * 20)


def test_the_weather_is_learnt_and_goes_onto_chips(weather):
    sizes = ("data.steps=24", "network.inputs=2", "network.hidden=[8]")
    trained = ("training.epochs=30", "training.batch_size=2", "training.learning_rate=0.02")
    software, chips = to_chips("jena-ssnu.yaml", weather, *sizes, *trained)
    assert software["metric"] == {"name": "mean squared error", "unit": "1"}
    assert software["software_metric"] < 0.1  # of the variance; the day comes back every day
    assert chips["drift"][-1]["mean"] < 0.5
    assert chips["devices"] == 2 * (2 * 8 + 8 * 8 + 8)


def test_words_are_learnt_and_go_onto_chips_in_nats_and_perplexity(pcmsim, text):
    sizes = ("network.inputs=7", "network.outputs=7", "network.hidden=[8]", "network.embedding=8")
    trained = ("training.epochs=15", "training.batch_size=2", "training.learning_rate=0.03")
    run, settings = text / "run", (*sizes, *trained, "data.steps=40", "learning.steps=10")
    sets = [word for setting in settings for word in ("--set", setting)]
    code, told, error = pcmsim(
        "train", CONFIGS / "ptb-ssnu.yaml", "--data", text, "--out", run, *sets
    )
    assert code == 0, error
    options = ("--chips", 1, "--days", 0.0001, "--compensation", "global")
    code, aged, error = pcmsim("drift", run, "--data", text, *options)
    assert code == 0, error
    paths = (run / "results.json", run / "drift" / "results.json")
    software, chips = (json.loads(path.read_text()) for path in paths)
    assert software["metric"]["unit"] == "nat/word"
    assert software["perplexity"] == pytest.approx(math.exp(software["software_metric"]))
    assert software["perplexity"] < 2.0  # six words that come equally often
    assert f"perplexity {software['perplexity']:.2f}" in told
    last = math.exp(chips["drift"][-1]["mean"])
    assert f"software {software['perplexity']:.2f}, global {last:.2f}" in aged
    assert chips["devices"] == 2 * (8 * 8 + 8 * 8 + 8 * 7)  # the table of words is digital
    page = (text / "run" / "report.html").read_text()
    assert re.findall(r"perplexity ([\d.]+), test split", page) == [f"{software['perplexity']:.2f}"]
    assert f"perplexity {last:.2f}" in page


@pytest.mark.slow
def test_words_are_learnt_on_chips_and_calibrated_with_recurrent_connections(text):
    phase = {"rule": {"name": "reprogram", "g_threshold": 0.5}, "epochs": 1}
    loop = {"chips": 1, "batch_size": 8, "compensation": ["affine"], "phases": [phase]}
    found = jobs.train(build(WORDS | {"loop": loop | {"times_s": [0.0]}}), text / "run", text)
    assert {cell["compensation"] for cell in found["stages"]} == {"affine"}
    assert max(cell["mean"] for cell in found["stages"]) < 2.5


@pytest.mark.parametrize(
    ("name", "setting", "says"),
    [
        ("jena", "data.steps=24", "network.inputs = 14; .* have 2: write inputs: 2, out"),
        ("ptb", "training.epochs=1", "inputs = 10000; .* have 7: write inputs: 7, outputs: 7"),
        ("shd", "data.channels=70", "network.inputs = 700; data.name = shd has 70"),
        ("shd", "network.outputs=10", "network.outputs = 10; data.name = shd has 20"),
        ("shd", "data.max_rate=1.0", "data.max_rate is for digits and mnist"),
        ("jena", "data.channels=70", "data.channels is for shd"),
        ("jena", "network.embedding=8", "network.embedding = 8 is for words"),
    ],
)
def test_sizes_and_settings_that_the_data_do_not_have_are_refused_in_one_line(
    tmp_path, request, name, setting, says
):
    request.getfixturevalue({"shd": "spoken", "jena": "weather", "ptb": "text"}[name])
    (path,) = CONFIGS.glob(f"{name}-*.yaml")
    with pytest.raises(UsageError, match=says) as error:
        jobs.train(load_config(path, (setting,)), tmp_path / "run", tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ({"embedding": None, "tied": False}, "write network.embedding: 4"),
        ({"readout": "leaky", "tied": False}, "readout = leaky: words are predicted by a readout"),
        ({"readout": "spiking", "tied": False}, "network.readout = spiking"),
    ],
)
def test_words_need_an_embedding_and_a_dense_readout(network, says):
    with pytest.raises(UsageError, match=says):
        check_sizes(build(WORDS | {"network": WORDS["network"] | network}))


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ({"embedding": None}, "there is no embedding to share; write embedding: 4"),
        ({"embedding": 5}, "embedding has 5 values and the last hidden layer 4 units"),
        ({"inputs": 8}, "inputs = 8 and outputs = 7 are numbers of the same words"),
        ({"readout": "leaky"}, "write readout: dense"),
    ],
)
def test_a_shared_table_must_fit_both_ends(network, says):
    with pytest.raises(UsageError, match=f"network.tied = True: .*{says}"):
        build(WORDS | {"network": WORDS["network"] | network})


def test_more_answers_than_fit_into_memory_are_refused_unless_gradients_are_cut():
    sizes = {"inputs": 10_000, "outputs": 10_000}
    large = WORDS | {"data": {"name": "ptb", "steps": 2000}, "network": WORDS["network"] | sizes}
    with pytest.raises(UsageError, match=r"training.batch_size = 8: .* 160,000,000 answers"):
        check_sizes(build(large))
    cut = build(large | {"learning": {"rule": "truncated_bptt", "steps": 35}})
    check_sizes(cut)
    loop = {"batch_size": 16, "phases": [{"rule": {"name": "digital"}, "epochs": 1}]}
    with pytest.raises(UsageError, match=r"loop.batch_size = 16"):
        check_sizes(build(large | {"learning": cut.learning.model_dump(), "loop": loop}))


def test_words_are_no_image_whatever_the_layers_are():
    image = {
        "unit": "snu",
        "inputs": 10_000,
        "outputs": 10_000,
        "hidden": [],
        "image": [1, 100, 100],
    }
    image["convolutions"] = [{"channels": 1, "kernel": 5, "stride": 5}]
    with pytest.raises(UsageError, match=r"no image; leave network\.convolutions"):
        check_sizes(build(WORDS | {"network": image}))


@pytest.mark.parametrize("rule", [{"rule": "ostl"}, {"rule": "truncated_bptt", "steps": 8}])
def test_the_weather_is_learnt_by_rules_that_go_forward_in_time(rule, weather):
    network = {"unit": "ssnu", "inputs": 2, "hidden": [8], "outputs": 1, "recurrent": True}
    training = {"epochs": 8, "batch_size": 2, "learning_rate": 0.02}
    config = {"data": {"name": "jena", "steps": 24}, "network": network, "training": training}
    results = jobs.train(build(config | {"learning": rule}), weather / "run", weather)
    assert results["software_metric"] < 0.3  # of the variance


def test_an_online_rule_is_refused_for_words(tmp_path):
    with pytest.raises(UsageError, match="has no eligibilities for the table of words"):
        jobs.train(build(WORDS | {"learning": {"rule": "ostl"}}), tmp_path / "run", tmp_path)
