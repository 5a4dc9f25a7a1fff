"""Memory that a large layer takes, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# The kernel's high-water mark of this program alone: getrusage would report that of the process
# that started it, where that is higher. A small chip first, so that code and pools are there.
LIFE = """
import numpy as np
from pcmsim.config import Hardware
from pcmsim.crossbar import Chip

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

def live(size, **hardware):
    chip = Chip(Hardware(**hardware), 1)
    chip.program("w", np.random.default_rng(0).standard_normal((size, size), dtype=np.float32))
    for _ in range(2):
        chip.clock.wait(3600.0)
        chip.conductances("w")
        chip.multiply("w", np.ones((32, size), np.float32))
        chip.read("w")
    return chip.n_devices

live(64, tile_rows=32, tile_columns=32)
before = peak()
devices = live(1024)
print((peak() - before) / devices)
"""
# The state of a device is 50 bytes; what is seen of it and of its weight 12; and the targets,
# the draws of a read and the scratch of a few tiles come and go.
MOST_BYTES_PER_DEVICE = 92.0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells")
def test_a_layer_of_1024_by_1024_takes_little_more_than_the_state_of_its_devices():
    # Each thread works on a tile, so their number counts.
    environment = os.environ | {"NUMBA_NUM_THREADS": "2"}
    command = [sys.executable, "-c", LIFE]
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert 50.0 < float(run.stdout) < MOST_BYTES_PER_DEVICE
