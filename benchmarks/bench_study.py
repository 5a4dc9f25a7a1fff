"""Studies: two workers against one, and the time of a chip; the chorales are needed (PCMSIM_DATA).

Run with `make bench`. Workers are started, and have compiled what they need, before the clock runs.
"""

import os
import sys
import time
from pathlib import Path

import pytest
import torch

from pcmsim.config import build_study, load_config
from pcmsim.datasets import load
from pcmsim.devices import Ambient, load_parameter_set
from pcmsim.networks import SpikingNetwork
from pcmsim.studies import LOCAL, Materials, Subject, open_pool, units_of, work_through

ROOT = Path(__file__).resolve().parent.parent
CELLS = [
    {"compensation": ["none", "global", "affine", "statistics"]},
    {"compensation": ["global"], "refresh": ["daily"]},
]
TEMPERATURES = {"lab": 25.0, "warm": 50.0, "bake": 85.0}


def materials_of(data, chips):
    """The shipped study of the soft unit; how well it has learnt does not change how long it takes.

    Weights are those it starts from.
    """
    config = load_config(ROOT / "configs" / "jsb-ssnu.yaml")
    study = build_study(
        {
            "networks": {"soft": "-"},
            "devices": {"gst": "pcm-gst-90nm"},
            "temperatures": {name: {"celsius": t} for name, t in TEMPERATURES.items()},
            "refreshes": {"daily": {"every_s": 86400.0}},
            "cells": CELLS,
            "chips": chips,
        }
    )
    network = SpikingNetwork(config.network, torch.Generator().manual_seed(1))
    dataset = load(config.data, 0, data)
    subject = Subject(network, dataset, config.hardware)
    ambients = {name: Ambient((0.0,), (t,)) for name, t in TEMPERATURES.items()}
    devices = {"gst": load_parameter_set("pcm-gst-90nm")}
    return study, Materials(study, {"soft": subject}, devices, ambients)


def seconds(folder, study, materials, workers):
    """Wall time of all chips of a study on so many workers that are warm."""
    first, *units = units_of(study)
    warm = units_of(study.model_copy(update={"points": 1}))[:workers]
    with open_pool(LOCAL, workers, materials) as pool:
        work_through(folder / "warm", warm, pool, 0)
        start = time.perf_counter()
        work_through(folder / "cold", (first, *units), pool, 0)
        return time.perf_counter() - start


@pytest.mark.timeout(900)
def test_two_workers_and_more_chips(benchmark, tmp_path, capsys):
    """At least 1.7 times as fast with two workers; the time of a chip does not grow with chips."""
    if benchmark.disabled:
        pytest.skip("a benchmark of minutes")
    data = Path(os.environ.get("PCMSIM_DATA", ROOT.parent / "shared" / "data")) / "jsb"
    if not data.exists():
        pytest.skip(f"canonical chorales not found in {data}; set PCMSIM_DATA")
    taken = {}
    for chips, workers in ((4, 1), (8, 1), (8, 2)):
        study, materials = materials_of(data, chips)
        folder = tmp_path / f"{chips}-{workers}"
        taken[chips, workers] = seconds(folder, study, materials, workers)
    each = taken[8, 1] / 8
    benchmark.extra_info |= {
        "seconds_per_chip": each,
        "two_workers": taken[8, 1] / taken[8, 2],
        "per_chip_of_8_against_4": taken[8, 1] / taken[4, 1] / 2,
    }
    with capsys.disabled():
        sys.stdout.write(f"\n{benchmark.extra_info}\n")
    benchmark.pedantic(lambda: None)
    assert taken[8, 1] / taken[8, 2] > 1.7
    assert taken[8, 1] / taken[4, 1] < 2 * 1.15
