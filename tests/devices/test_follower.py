import tracemalloc

import numpy as np
import pytest

from pcmsim.devices import Modes, fluctuation, load_parameter_set, modes, slow_modes
from pcmsim.devices.follower import Follower
from pcmsim.errors import UsageError
from pcmsim.rng import key

BAND = slow_modes(load_parameter_set("pcm-gst-90nm").values)
KEY = key(1, "noise")
# Not a multiple of any block, and of two axes, each device with a number of its own.
SHAPE = (23, 31)


def assert_same_bits(found, expected):
    assert found.dtype == expected.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.view(np.int32), expected.view(np.int32))


def follow(looks, band=BAND, shape=SHAPE):
    """Hold a follower against `fluctuation` at every (time, last pulses) of `looks`."""
    follower = Follower(band, shape, KEY)
    for now_s, pulse_s in looks:
        expected = fluctuation(band, shape, KEY, now_s, pulse_s)
        assert_same_bits(follower.at(now_s, pulse_s), expected)


def pulsed(times_s, rng, share=0.05):
    """Looks at `times_s`; before each, some devices are pulsed since the look before."""
    last_s = np.full(SHAPE, times_s[0] - 3.0)
    before_s = times_s[0]
    for now_s in times_s:
        hit = rng.random(SHAPE) < share
        last_s[hit] = rng.uniform(min(before_s, now_s), now_s, np.count_nonzero(hit))
        before_s = now_s
        yield now_s, last_s


@pytest.mark.parametrize("start_s", [0.0, 30.0, 86400.0 * 4, 3e7])
@pytest.mark.parametrize("step_s", [1e-6, 1e-4, 1e-3, 1e-2, 1.0])
def test_a_follower_shows_what_the_stateless_function_shows(start_s, step_s):
    rng = np.random.default_rng(1)
    follow(pulsed(start_s + np.cumsum(rng.exponential(step_s, 60)), rng))


def test_it_does_so_through_jumps_of_every_size():
    rng = np.random.default_rng(2)
    follow(pulsed(30.0 + np.cumsum(10 ** rng.uniform(-7, 5, 300)), rng))


@pytest.mark.parametrize("k", [12, 20, 26, 29])
def test_it_does_so_on_the_edges_of_intervals_and_beside_them(k):
    rng = np.random.default_rng(3)
    edges = (1.0 + np.arange(60)) / BAND.rates_per_s[k]
    times_s = np.stack([np.nextafter(edges, 0), edges, np.nextafter(edges, np.inf)], axis=1)
    follow(pulsed(times_s.reshape(-1), rng))


def test_it_does_so_for_one_pulse_for_each_device_and_for_none():
    rng = np.random.default_rng(4)
    forms = [None, 5.0, 29.9, np.full(SHAPE, 12.0), rng.uniform(0.0, 30.0, SHAPE), 30.0]
    looks = 30.0 + np.cumsum(rng.exponential(1e-3, 200))
    follow((now_s, forms[rng.integers(len(forms))]) for now_s in looks)


def test_it_does_so_when_pulses_move_back_or_lie_ahead():
    rng = np.random.default_rng(5)
    looks = 30.0 + np.cumsum(rng.exponential(1e-3, 200))
    last_s = np.full(SHAPE, 20.0)

    def moved():
        for now_s in looks:
            hit = rng.random(SHAPE) < 0.05
            last_s[hit] = now_s + rng.normal(0.0, 0.1, np.count_nonzero(hit))
            yield now_s, last_s

    follow(moved())


def test_it_does_so_when_the_clock_goes_back():
    rng = np.random.default_rng(6)
    follow(pulsed(100.0 + np.cumsum(rng.normal(0.0, 0.05, 100)), rng))


def test_it_does_so_for_pulses_at_the_very_instants_of_events():
    """Where single and double precision disagree on which came first: the edge of every rounding.

    The instant of the last event of an interval, by bisection: the first pulse that silences it.
    """
    band, shape = Modes(np.array([1.0]), np.array([1.0])), (400,)
    early, late = np.full(shape, 7.0), np.full(shape, 8.0)
    at_end = fluctuation(band, shape, KEY, 8.0, None)
    for _ in range(60):
        middle = (early + late) / 2
        silent = fluctuation(band, shape, KEY, 8.0, middle) != at_end
        early, late = np.where(silent, early, middle), np.where(silent, middle, late)
    inside = early > 7.0
    assert np.count_nonzero(inside) > 200
    times_s = [7.2, 7.9, 7.99, 7.995, np.nextafter(8.0, 0), 8.0, 8.2, 8.5, 8.9, 9.0, 9.3, 11.0]
    for off in [0.0, *(s * 2.0**-n for n in range(19, 32) for s in (-1, 1))]:
        follow([(t_s, early + off) for t_s in times_s], band, shape)
        follow([(t_s, early + (off if t_s > 7.99 else -1.0)) for t_s in times_s], band, shape)


def test_it_does_so_for_an_event_that_shows_only_when_its_interval_is_over():
    """Drawn 1e-7 before the interval by its position, and just inside it by its bits.

    One in 2^27 is: the last of interval 4013889 of device 19, found by search.
    """
    band, shape, edge_s = Modes(np.array([1.0]), np.array([1.0])), (20,), 4013890.0
    inside, after = (fluctuation(band, shape, KEY, t, None) for t in (edge_s - 1e-6, edge_s))
    assert inside[19] != after[19]
    times_s = edge_s + np.array([-1.5, -0.9, -0.1, 0.0, 0.1, 0.7, 1.0, 1.5])
    for pulse_s in [None, edge_s - 1 - 5e-8, edge_s - 1, edge_s - 1.5, 0.0]:
        follow(((now_s, pulse_s) for now_s in times_s), band, shape)


def test_a_follower_that_starts_in_the_middle_shows_the_same():
    rng = np.random.default_rng(7)
    old = Follower(BAND, SHAPE, KEY)
    for now_s, last_s in pulsed(30.0 + np.cumsum(rng.exponential(1e-2, 50)), rng):
        assert_same_bits(old.at(now_s, last_s), Follower(BAND, SHAPE, KEY).at(now_s, last_s))


def test_what_was_returned_does_not_change_later():
    follower = Follower(BAND, SHAPE, KEY)
    first = follower.at(30.0, 0.0)
    kept = first.copy()
    assert not np.array_equal(follower.at(31.0, 0.0), kept)
    assert_same_bits(first, kept)


@pytest.mark.parametrize("shape", [(), (1,), (64,), (65,), (3, 0), (4, 5, 7)])
def test_arrays_of_every_shape_are_followed(shape):
    looks = [(30.0, 1.0), (30.1, np.full(shape, 30.05)), (30.2, None)]
    follow(looks, shape=shape)


@pytest.mark.parametrize("n", [0, 1, 8, 9])
def test_bands_of_any_number_of_modes_are_followed(n):
    band = Modes(np.geomspace(1.0, 50.0, n), np.linspace(0.5, 1.0, n))
    rng = np.random.default_rng(8)
    follow(pulsed(30.0 + np.cumsum(rng.exponential(1e-2, 50)), rng), band)


def test_rates_that_exhaust_double_precision_are_followed():
    rng = np.random.default_rng(9)
    follow(pulsed(1e7 + np.cumsum(rng.exponential(1e-6, 100)), rng), modes(1e-6, 1e7))


def test_a_refused_look_leaves_the_follower_as_it_was():
    follower = Follower(BAND, SHAPE, KEY)
    follower.at(30.0, 0.0)
    with pytest.raises(UsageError, match="too late for noise"):
        follower.at(1e14, 0.0)
    with pytest.raises(UsageError, match="pulse_s must be one time or of shape"):
        follower.at(30.1, np.zeros(5))
    assert_same_bits(follower.at(30.1, 0.0), fluctuation(BAND, SHAPE, KEY, 30.1, 0.0))


def test_a_follower_of_two_tiles_of_a_chip_fits_in_60_megabytes():
    tracemalloc.start()
    try:
        follower = Follower(BAND, (52_800,), KEY)
        follower.at(30.0, 0.0)
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()
