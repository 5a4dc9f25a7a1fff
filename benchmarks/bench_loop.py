"""An epoch with the hardware in the loop against one in software, and write-verify of all devices.

Run with `make bench`. Epochs need the canonical chorales (PCMSIM_DATA) and are skipped without.
"""

import os
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from pcmsim.config import Hardware, load_config
from pcmsim.crossbar import Chip
from pcmsim.datasets import load
from pcmsim.devices import load_parameter_set
from pcmsim.loop import (
    LoopNetwork,
    WeightArray,
    begin,
    fit,
    guarded,
    hold_all,
    one_thread,
    open_arrays,
    train_in_loop,
)
from pcmsim.networks import SpikingNetwork

ROOT = Path(__file__).resolve().parent.parent
RNG = np.random.default_rng(0)
MATRICES = {"hidden": RNG.normal(0, 0.3, (88, 150)), "readout": RNG.normal(0, 0.3, (150, 88))}


@pytest.mark.parametrize("backend", ["melt", "set"])
def test_write_verify_of_52_800_devices(benchmark, backend):
    """Noise included: every device is read with the slow fluctuation it has at that time."""
    chip = Chip(Hardware(scale="column", clip_std=2.0, verify={"backend": backend}), 1)

    def write():
        for name, weight in MATRICES.items():
            chip.program(name, weight, method="verify")

    write()
    benchmark.pedantic(write, rounds=5)
    if not benchmark.disabled:
        assert benchmark.stats.stats.min < 0.5


def software_epochs(config, dataset, epochs):
    network = SpikingNetwork(config.network, torch.Generator().manual_seed(1))
    training = config.training.model_copy(update={"epochs": epochs})
    return network, [report.seconds for report in fit(network, dataset, training, 0).history]


def loop_epochs(config, dataset, network, epochs):
    """Seconds of each epoch of the shipped recipe, from a network that has begun to learn."""
    network = deepcopy(network)
    hold_all(network, config.aware.clip_rms)
    hardware = config.hardware.model_copy(update={"clip_std": None})
    shapes = {name: tuple(weight.shape) for name, weight in network.matrices().items()}
    arrays = guarded(open_arrays(shapes, hardware, 1), hardware)
    values = load_parameter_set(hardware.device).values
    mapped = {
        name: WeightArray.fitted(arrays[name], weight.detach().numpy(), values, hardware)
        for name, weight in network.matrices().items()
    }
    run = begin(LoopNetwork(network, mapped), config.loop)
    first = config.loop.phases[0].model_copy(update={"epochs": epochs})
    train_in_loop(run, dataset, config.loop.model_copy(update={"phases": (first,)}), 0)
    return [report.seconds for report in run.history[1:]], run.history


@pytest.mark.parametrize("unit", ["snu", "ssnu"])
def test_an_epoch_in_the_loop_takes_at_most_three_of_software(unit, capsys):
    """Validation included in both; the shortest epochs of each, taken in turns."""
    data = Path(os.environ.get("PCMSIM_DATA", ROOT.parent / "shared" / "data"))
    if not data.exists():
        pytest.skip(f"canonical chorales not found in {data}; set PCMSIM_DATA")
    config = load_config(ROOT / "configs" / f"jsb-{unit}-hil.yaml")
    dataset = load(config.data, 0, data)
    software, in_loop = [], []
    began_s = time.perf_counter()
    with one_thread():
        for _ in range(3):
            network, seconds = software_epochs(config, dataset, 4)
            software += seconds
            seconds, history = loop_epochs(config, dataset, network, 4)
            in_loop += seconds
    ratio = min(in_loop) / min(software)
    with capsys.disabled():
        print(  # noqa: T201 - what a benchmark is for
            f"\n{unit}: software {min(software):.3f} s, in the loop {min(in_loop):.3f} "
            f"(median {np.median(in_loop):.3f}) s per epoch, ratio {ratio:.2f}; programmed "
            f"{[report.programmed for report in history]}; {time.perf_counter() - began_s:.0f} s"
        )
    assert ratio < 3.0
