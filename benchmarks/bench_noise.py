"""A look at the slow noise of 26,400 devices, step by step, against evaluating it anew.

Run with `make bench`. As in a training loop, 200 devices are pulsed between two looks. Ratios are
taken within one run, with the contenders taking turns.
"""

import time

import numpy as np
import pytest

from pcmsim.devices import fluctuation, load_parameter_set, slow_modes
from pcmsim.devices.follower import Follower

BAND = slow_modes(load_parameter_set("pcm-gst-90nm").values)
DEVICES, PULSED = 26_400, 200


def steps(start_s, step_s, looks):
    """Times and last pulses of `looks` looks, the array of pulses being changed in place."""
    rng = np.random.default_rng(0)
    pulse_s = np.full(DEVICES, start_s - 20.0)
    for i in range(looks):
        now_s = start_s + i * step_s
        pulse_s[rng.integers(DEVICES, size=PULSED)] = now_s
        yield now_s, pulse_s


@pytest.mark.parametrize("start_s", [30.0, 86400.0])
@pytest.mark.parametrize("step_s", [1e-4, 1e-3, 1e-2, 1.0])
def test_look_again_after(benchmark, start_s, step_s):
    follower = Follower(BAND, (DEVICES,), 1)
    looks = steps(start_s, step_s, 10_000)
    follower.at(*next(looks))
    benchmark.pedantic(follower.at, setup=lambda: (next(looks), {}), rounds=100)


@pytest.mark.parametrize("start_s", [30.0, 86400.0])
def test_look_for_the_first_time(benchmark, start_s):
    benchmark(lambda: Follower(BAND, (DEVICES,), 1).at(start_s, start_s - 20.0))


@pytest.mark.parametrize("start_s", [30.0, 86400.0])
def test_look_without_memory(benchmark, start_s):
    pulse_s = np.full(DEVICES, start_s - 20.0)
    benchmark(fluctuation, BAND, (DEVICES,), 1, start_s, pulse_s)


@pytest.mark.parametrize("start_s", [30.0, 86400.0])
@pytest.mark.parametrize(("step_s", "ratio"), [(1e-4, 40.0), (1e-3, 20.0), (1e-2, 4.0)])
def test_the_speed_that_is_promised(start_s, step_s, ratio):
    """Shortest times of 200 looks, by as many evaluations as there is patience for."""
    follower, taken = Follower(BAND, (DEVICES,), 1), {"follower": [], "anew": []}
    for i, (now_s, pulse_s) in enumerate(steps(start_s, step_s, 200)):
        start = time.perf_counter()
        follower.at(now_s, pulse_s)
        taken["follower"].append(time.perf_counter() - start)
        if i % 20 == 0:
            start = time.perf_counter()
            fluctuation(BAND, (DEVICES,), 1, now_s, pulse_s)
            taken["anew"].append(time.perf_counter() - start)
    report = {name: f"{min(times) * 1e3:.3f} ms" for name, times in taken.items()}
    assert min(taken["anew"]) > ratio * min(taken["follower"]), report
