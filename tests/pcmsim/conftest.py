"""A small network trained on synthetic chorales, shared by the tests of jobs and commands."""

import shutil

import pytest

from pcmsim.config import build
from pcmsim.jobs import train

TINY = {
    "seed": 1,
    "data": {"name": "synthetic"},
    "network": {"unit": "ssnu", "hidden": [12]},
    "training": {"epochs": 8, "batch_size": 4, "learning_rate": 0.02},
}


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    run = tmp_path_factory.mktemp("trained") / "run"
    train(build(TINY), run)
    return run


@pytest.fixture
def trained(trained_once, tmp_path):
    """A fresh copy of the folder of a finished training run."""
    return shutil.copytree(trained_once, tmp_path / "run")
