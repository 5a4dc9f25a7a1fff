"""Drifted conductances and noisy products of a chip, against plain products and other simulators.

Run with `make bench`. Ratios are taken within one run, with the contenders taking turns.
"""

import time

import numpy as np
import pytest

from pcmsim.config import Hardware
from pcmsim.crossbar import Chip

RNG = np.random.default_rng(0)
MATRICES = {"hidden": RNG.normal(0, 0.3, (88, 150)), "readout": RNG.normal(0, 0.3, (150, 88))}
TIMES_S = np.geomspace(1.0, 345600.0, 100)


def chip_with(read_noise):
    chip = Chip(Hardware(read_noise=read_noise), 1)
    for name, weight in MATRICES.items():
        chip.program(name, weight)
    return chip


def best_of(contenders, rounds=60):
    """Shortest time of each contender [s]; they take turns, so that all meet the same machine."""
    best = dict.fromkeys(contenders, np.inf)
    for _ in range(rounds):
        for name, call in contenders.items():
            start = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def age(read_noise):
    """Read both matrices at each of 100 times on a chip made anew."""
    chip = chip_with(read_noise)
    programmed_s = chip.clock.now_s

    def run():
        for t_s in TIMES_S:
            chip.clock.now_s = programmed_s + t_s
            for name in MATRICES:
                chip.read(name)

    return run


def test_drift_at_100_times(benchmark):
    benchmark(age("none"))


def test_drift_at_100_times_with_a_marginal_draw_at_each(benchmark):
    benchmark(age("marginal"))


def test_drift_at_100_times_with_correlated_noise_at_each(benchmark):
    benchmark.pedantic(age("correlated"), rounds=2)


@pytest.mark.parametrize("batch", [1, 32, 1024])
@pytest.mark.parametrize("kind", ["numpy", "noisy"])
def test_multiply_150_88(benchmark, batch, kind):
    chip = chip_with("correlated")
    x = RNG.uniform(0, 1, (batch, 150)).astype(np.float32)
    weight = MATRICES["readout"].astype(np.float32)
    benchmark((lambda: x @ weight) if kind == "numpy" else (lambda: chip.multiply("readout", x)))


def test_the_speed_that_is_promised():
    """15 ms and 50 ms for 100 times of 52,800 devices; 3x and 5x for the noisy product."""
    drift = best_of(
        {
            "noiseless": age("none"),
            "marginal": age("marginal"),
        },
        rounds=10,
    )
    chip, weight = chip_with("correlated"), MATRICES["readout"].astype(np.float32)
    ratios = {}
    for batch in (32, 1024):
        x = RNG.uniform(0, 1, (batch, 150)).astype(np.float32)
        taken = best_of(
            {"plain": lambda x=x: x @ weight, "noisy": lambda x=x: chip.multiply("readout", x)}, 300
        )
        ratios[batch] = taken["noisy"] / taken["plain"]
    report = f"drift {drift}, noisy/plain {ratios}"
    assert drift["noiseless"] < 15e-3, report
    assert drift["marginal"] < 50e-3, report
    assert ratios[32] < 3.0, report
    assert ratios[1024] < 5.0, report


def test_aihwkit_at_100_times(benchmark):
    pytest.importorskip("aihwkit", reason="aihwkit is not installed; nothing to compare with")
    import torch
    from aihwkit.inference import PCMLikeNoiseModel
    from aihwkit.nn import AnalogLinear
    from aihwkit.simulator.configs import InferenceRPUConfig

    config = InferenceRPUConfig()
    config.noise_model = PCMLikeNoiseModel(g_max=25.0)
    layers = [AnalogLinear(*m.shape, bias=False, rpu_config=config) for m in MATRICES.values()]
    for layer, weight in zip(layers, MATRICES.values(), strict=True):
        layer.set_weights(torch.tensor(weight.T, dtype=torch.float32))
        layer.eval()
        layer.program_analog_weights()

    def run():
        for t_s in TIMES_S:
            for layer in layers:
                layer.drift_analog_weights(float(t_s))

    benchmark.pedantic(run, rounds=3)
