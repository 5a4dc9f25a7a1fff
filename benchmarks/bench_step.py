"""One step of an 88-150-88 network for one sample: compiled, and through tensors.

    pytest benchmarks/bench_step.py --benchmark-enable -o python_files='bench_*.py' \
        --log-cli-level=INFO

`roll` is an input with the one note in twenty of a piano roll, `dense` one of normal numbers. The
two take turns, and the time is the shortest: other work on the machine is in all longer ones.
"""

import logging
import time

import numpy as np
import pytest
import torch

from pcmsim.config import Network
from pcmsim.networks import SpikingNetwork, Streamer

INPUTS = 88
MOST_US = 10.0


def rows(kind, count=50):
    rng = np.random.default_rng(1)
    if kind == "roll":
        return (rng.random((count, INPUTS)) < 0.05).astype(np.float32)
    return rng.standard_normal((count, INPUTS)).astype(np.float32)


def compiled(network, x):
    step = Streamer(network).step

    def run():
        for row in x:
            step(row)

    return run


def tensors(network, x):
    given = torch.from_numpy(x).unsqueeze(1)

    def run():
        states = network.rest()
        with torch.no_grad():
            for row in given:
                states, _ = network.step(states, row)

    return run


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("kind", ["roll", "dense"])
@pytest.mark.parametrize("recurrent", [False, True], ids=["forward", "recurrent"])
@pytest.mark.parametrize("unit", ["snu", "ssnu", "li_snu", "asnu", "lif", "alif"])
def test_a_step_takes_at_most_ten_microseconds(unit, recurrent, kind):
    x = rows(kind)
    network = SpikingNetwork(Network(unit=unit, recurrent=recurrent, threshold=0.2))
    contenders = {"compiled": compiled(network, x), "tensors": tensors(network, x)}
    best = dict.fromkeys(contenders, np.inf)
    for _ in range(50):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], 1e6 * (time.perf_counter() - start) / len(x))
    logging.getLogger(__name__).info(
        "%s us, tensors/compiled %.0f",
        " ".join(f"{name} {value:.1f}" for name, value in best.items()),
        best["tensors"] / best["compiled"],
    )
    assert best["compiled"] <= MOST_US
