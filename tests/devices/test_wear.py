from dataclasses import replace

import numpy as np

from pcmsim.devices import apply_reset, conductance, load_parameter_set, manufacture, program
from pcmsim.rng import stream

N = 50_000
PERFECT_YIELD = {"p_stuck_reset": 0.0, "p_stuck_set": 0.0, "p_untunable": 0.0}
SHORT = load_parameter_set("pcm-gst-90nm").with_values(wear_scale=20.0, **PERFECT_YIELD).values


def test_devices_wear_out_at_the_rate_of_the_weibull_law():
    """Share alive after n resets exp(-(n/20)²), within four standard errors of 50,000 devices."""
    state = manufacture(SHORT, (N,), stream(1, "make"))
    for k in range(2, 31):
        state = apply_reset(SHORT, state, None, 0.0, stream(1, "reset", k))
        alive = np.exp(-((k / 20.0) ** 2))
        found = np.mean(state.fault == 0)
        assert abs(found - alive) < 4 * np.sqrt(alive * (1 - alive) / N), k


def test_a_worn_device_is_stuck_in_set_for_good():
    state = manufacture(SHORT, (N,), stream(1, "make"))
    state = replace(state, lifetime=np.where(np.arange(N) % 2 == 0, 1.0, 99.0).astype(np.float32))
    state = apply_reset(SHORT, state, None, 0.0, stream(1, "reset"))
    worn = state.fault == 2
    np.testing.assert_array_equal(worn, np.arange(N) % 2 == 0)
    assert abs(state.g[worn].mean() - 27.5) < 4 * 2.5 / np.sqrt(N / 2)
    assert np.all(state.nu[worn] == np.float32(0.01))
    assert state.g[~worn].max() < 2.0
    before = conductance(SHORT, state, 100.0)[worn]
    again = apply_reset(SHORT, state, None, 50.0, stream(2, "reset"))
    np.testing.assert_array_equal(again.g[worn], state.g[worn])
    np.testing.assert_allclose(conductance(SHORT, again, 100.0)[worn], before, rtol=1e-6)


def test_programming_wears_as_a_reset_does():
    state = manufacture(SHORT, (4,), stream(1, "make"))
    state = replace(state, lifetime=np.array([1.0, 2.0, 3.0, 4.0], np.float32))
    for k in range(2):
        state = program(SHORT, state, np.full(4, 5.0), 0.0, stream(1, "write", k))
    np.testing.assert_array_equal(state.fault, [2, 2, 0, 0])


def test_few_hundred_resets_wear_nobody_by_default():
    values = load_parameter_set("pcm-gst-90nm").values
    state = manufacture(values, (N,), stream(1, "make"))
    assert state.lifetime.dtype == np.float32
    assert np.mean(state.lifetime < 500) < 4 / N
