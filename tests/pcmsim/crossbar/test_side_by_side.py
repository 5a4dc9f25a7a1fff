import threading

import numpy as np
import pytest
from numba import config

from pcmsim.config import Hardware
from pcmsim.crossbar import Chip, side_by_side

W = np.random.default_rng(0).normal(0.0, 0.3, (40, 30))
X = np.random.default_rng(1).uniform(0.0, 1.0, (16, 40)).astype(np.float32)


def life(**hardware):
    """Everything that a chip of 15 tiles shows in a short life."""
    chip = Chip(Hardware(tile_rows=16, tile_columns=7, **hardware), 1)
    chip.program("w", W)
    chip.clock.wait(3600.0)
    seen = [chip.conductances("w"), chip.weights("w"), chip.read("w"), chip.multiply("w", X)]
    chip.program("w", -W)
    chip.write("w", np.full((2, chip.hardware.pairs, *W.shape), 5.0), seen[0] > 10.0)
    chip.clock.wait(60.0)
    return [*seen, chip.read("w"), chip.multiply("w", X)]


@pytest.fixture
def many(monkeypatch):
    """Every matrix counts as large."""
    monkeypatch.setattr(side_by_side, "MANY_DEVICES", 0)


@pytest.mark.parametrize("noise", ["none", "marginal", "correlated"])
@pytest.mark.parametrize("pairs", [1, 2])
def test_no_number_depends_on_how_many_threads_there_are(monkeypatch, many, noise, pairs):
    lives = []
    for threads in (1, 2, 7):
        monkeypatch.setattr(config, "NUMBA_NUM_THREADS", threads)
        lives.append(life(read_noise=noise, pairs=pairs))
    for other in lives[1:]:
        for a, b in zip(lives[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_tiles_of_many_devices_are_worked_on_at_the_same_time(monkeypatch):
    """Each of two tiles waits for the other to begin."""
    monkeypatch.setattr(config, "NUMBA_NUM_THREADS", 2)
    both = threading.Barrier(2)
    done = side_by_side.side_by_side(
        lambda tile: (tile, both.wait(30.0) >= 0), 2, side_by_side.MANY_DEVICES
    )
    assert done == [(0, True), (1, True)]


def test_few_devices_stay_in_the_thread_they_are_in():
    threads = side_by_side.side_by_side(lambda tile: threading.get_ident(), 9, 52_800)
    assert set(threads) == {threading.get_ident()}


def test_what_fails_in_a_tile_is_heard_of(many):
    def work(tile):
        if tile == 3:
            raise ValueError("tile 3")

    with pytest.raises(ValueError, match="tile 3"):
        side_by_side.side_by_side(work, 5, 10)
