import numpy as np
import pytest
import torch

from pcmsim.config import Network, build, load_config
from pcmsim.errors import DataError, UsageError
from pcmsim.interchange import read_nir
from pcmsim.jobs import convert, drift, report, train
from pcmsim.networks import SpikingNetwork, load_network, save_network


@pytest.fixture
def run(tmp_path):
    """Folder of a network."""
    spec = Network(unit="snu", hidden=(12, 7), recurrent=True, decay=0.85)
    save_network(SpikingNetwork(spec), tmp_path / "run")
    return tmp_path / "run"


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_network_that_has_been_away_is_the_one_that_left(run, tmp_path):
    there = convert(run, tmp_path / "model.nir")
    back = convert(tmp_path / "model.nir", tmp_path / "back")
    assert (there.path, back.path) == (tmp_path / "model.nir", tmp_path / "back")
    assert bytes_of(tmp_path / "back") == bytes_of(run)
    x = (torch.rand(40, 2, 88, generator=torch.Generator().manual_seed(1)) < 0.1).float()
    with torch.no_grad():
        torch.testing.assert_close(load_network(tmp_path / "back")(x), load_network(run)(x))


def test_the_time_step_goes_into_the_file_and_comes_out_of_it(run, tmp_path):
    convert(run, tmp_path / "model.nir", dt_s=0.125)
    graph = read_nir(tmp_path / "model.nir")
    assert graph.metadata["dt_s"] == 0.125
    np.testing.assert_allclose(graph.nodes["hidden0.lif"].tau, 0.125 / 0.15, rtol=1e-6)
    assert convert(tmp_path / "model.nir", tmp_path / "back").network.spec.decay == 0.85
    slow = convert(tmp_path / "model.nir", tmp_path / "slow", dt_s=0.0625)
    assert slow.network.spec.decay == pytest.approx(0.925)


def test_nothing_that_is_there_is_written_over(run, tmp_path):
    before = bytes_of(run)
    convert(run, tmp_path / "model.nir")
    model = (tmp_path / "model.nir").read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        convert(run, tmp_path / "model.nir", dt_s=1.0)
    with pytest.raises(UsageError, match="is not empty"):
        convert(tmp_path / "model.nir", run)
    with pytest.raises(UsageError, match="exists already"):
        convert(run, run)
    assert bytes_of(run) == before
    assert (tmp_path / "model.nir").read_bytes() == model


def test_a_source_that_cannot_be_used_leaves_no_target(run, tmp_path):
    (tmp_path / "model.nir").write_bytes(b"{}")
    (tmp_path / "empty").mkdir()
    target = tmp_path / "target"
    with pytest.raises(DataError, match="cannot be read as a NIR graph"):
        convert(tmp_path / "model.nir", target)
    with pytest.raises(DataError, match="cannot be read"):
        convert(tmp_path / "empty", target)
    with pytest.raises(UsageError, match="neither a run folder nor a NIR file"):
        convert(tmp_path / "absent", target)
    assert not target.exists()


def test_the_command_line_goes_both_ways(pcmsim, run, tmp_path):
    code, out, _ = pcmsim("convert", run, tmp_path / "model.nir", "--dt", "1e-3")
    assert code == 0
    assert "network 88-12-7-88, recurrent, decay 0.85" in out
    assert read_nir(tmp_path / "model.nir").metadata["dt_s"] == 1e-3
    assert pcmsim("convert", tmp_path / "model.nir", tmp_path / "back")[0] == 0
    code, _, err = pcmsim("convert", tmp_path / "model.nir", tmp_path / "back")
    assert (code, "is not empty" in err) == (2, True)
    (tmp_path / "bad.nir").write_bytes(b"{}")
    code, _, err = pcmsim("convert", tmp_path / "bad.nir", tmp_path / "other")
    assert code == 3
    assert err.count("\n") <= 1


DIGITS = {
    "seed": 3,
    "data": {"name": "digits", "steps": 8},
    "network": {"unit": "lif", "readout": "leaky", "inputs": 64, "hidden": [12], "outputs": 10},
    "training": {"epochs": 2, "batch_size": 64, "learning_rate": 0.02},
}


@pytest.fixture(scope="module")
def away(tmp_path_factory):
    """Folders of a run with trained decays, and of the same network that has been away."""
    place = tmp_path_factory.mktemp("away")
    train(build(DIGITS), place / "run")
    convert(place / "run", place / "model.nir")
    convert(place / "model.nir", place / "back", None, load_config(place / "run/config.yaml"))
    return place


def test_a_network_that_has_been_away_drifts_as_the_one_that_left(away):
    settings = {"days": 1e-4, "chips": 1, "compensations": ["none"]}
    there, here = (drift(away / name, **settings) for name in ("run", "back"))
    assert there == here
    assert there["drift"][-1]["mean"] != there["software_metric"]


def test_the_folder_of_a_network_from_elsewhere_has_a_report_without_epochs(away, pcmsim, tmp_path):
    page = report(away / "back").read_text()
    assert "Trained elsewhere" in page
    assert "Learning curve" not in page
    assert "Best epoch" not in page
    words = ("convert", away / "model.nir", tmp_path / "new")
    config = ("--config", away / "run/config.yaml")
    assert pcmsim(*words, "--set", "seed=4")[0] == 2
    code, _, err = pcmsim(*words, *config, "--set", "data.name=synthetic")
    assert (code, "network.inputs = 64" in err) == (2, True)
    assert not (tmp_path / "new").exists()
    code, out, _ = pcmsim(*words, *config)
    assert (code, "test error rate" in out, "trained decays" in out) == (0, True, True)
    code, _, err = pcmsim("convert", away / "run", tmp_path / "other.nir", *config)
    assert (code, "a configuration belongs to a NIR file" in err) == (2, True)
