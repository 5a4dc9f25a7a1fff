"""A layer of 4096 x 4096 weights, 33.5 million devices in 256 tiles, on one machine.

Run with `make bench`; the command to run it alone stands in `docs/drift.md`.

Times are wall times: other work on the machine is in them. The floor of drift is what moves
through memory, two numbers read and one written for each device, at the speed of a plain copy.
"""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from pcmsim.config import Hardware
from pcmsim.crossbar import Chip
from pcmsim.crossbar.side_by_side import side_by_side

SIZE, BATCH, SINGLE = 4096, 32, 4
DEVICES = 2 * SIZE**2
MOST_BYTES = 4e9
# One life of a layer, alone in a process. The kernel keeps the high-water mark of this program's
# memory; getrusage would report that of the process that started it, where that is higher.
LIFE = """
import json, sys, time
import numpy as np
from pcmsim.config import Hardware
from pcmsim.crossbar import Chip

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

size, taken, peaks = int(sys.argv[1]), {}, {"import": peak()}

def timed(step, call):
    start = time.perf_counter()
    call()
    taken[step], peaks[step] = time.perf_counter() - start, peak()

rng = np.random.default_rng(0)
weight = rng.standard_normal((size, size), dtype=np.float32)
x = rng.random((32, size), dtype=np.float32)
chip = Chip(Hardware(), 1)
timed("make", lambda: chip.allocate("w", (size, size)))
timed("program", lambda: chip.program("w", weight))
for hour in ("first", "second"):
    chip.clock.wait(3600.0)
    timed(f"drift, {hour} hour", lambda: chip.conductances("w"))
    timed(f"look and product, {hour} hour", lambda: chip.multiply("w", x))
timed("product", lambda: chip.multiply("w", x))
print(json.dumps({"seconds": taken, "peak_bytes": peaks}))
"""


@pytest.fixture(scope="module")
def chips():
    """The layer as seen with each kind of read noise; the devices are the same, and there once."""
    weight = np.random.default_rng(0).standard_normal((SIZE, SIZE), dtype=np.float32)
    made = {noise: Chip(Hardware(read_noise=noise), 1) for noise in ("none", "marginal")}
    made["correlated"] = Chip(Hardware(), 1)
    made["none"].program("w", weight)
    for chip in made.values():
        chip.matrices = made["none"].matrices
        chip.clock.wait(3600.0)
    return made


def copied(parts=256):
    """A call that copies 134 MB from warm memory to warm memory, with as many threads as tiles."""
    source = np.ones((parts, DEVICES // parts), np.float32)
    target = np.zeros_like(source)
    return lambda: side_by_side(lambda i: np.copyto(target[i], source[i]), parts, DEVICES)


def look_later(chip):
    """A call that lets a minute pass and looks at every device."""

    def look():
        chip.clock.wait(60.0)
        chip.weights("w")

    return look


@pytest.fixture
def say(capsys):
    """Write a line past pytest's capture, beside the table of times."""

    def write(line):
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")

    return write


def test_peak_memory_of_a_life_in_a_process_of_its_own(benchmark, say):
    command = [sys.executable, "-c", LIFE, str(SIZE)]

    def live():
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    found = json.loads(benchmark.pedantic(live, rounds=1))
    benchmark.extra_info.update(found)
    for step, peak in found["peak_bytes"].items():
        say(f"{step:30s} {found['seconds'].get(step, 0):8.3f} s, peak so far {peak / 1e9:.2f} GB")
    assert max(found["peak_bytes"].values()) < MOST_BYTES, found


def test_drift_against_the_floor(benchmark, say, chips):
    """Drift of all devices and a copy take turns; the floor is of the fastest copy."""
    contenders, best = {"copy": copied(), "drift": lambda: chips["none"].conductances("w")}, {}
    for _ in range(20):
        for name, call in contenders.items():
            start = time.perf_counter()
            call()
            best[name] = min(best.get(name, np.inf), time.perf_counter() - start)
    # A copy reads and writes one number of each device; drift reads two and writes one.
    floor_s, bandwidth = 1.5 * best["copy"], 2 * SINGLE * DEVICES / best["copy"]
    benchmark.extra_info.update(floor_s=floor_s, drift_s=best["drift"], bytes_per_s=bandwidth)
    say(
        f"drift {best['drift'] * 1e3:.1f} ms, floor {floor_s * 1e3:.1f} ms "
        f"at {bandwidth / 1e9:.1f} GB/s of copying"
    )
    benchmark.pedantic(contenders["drift"], rounds=5)


@pytest.mark.parametrize(("noise", "rounds"), [("none", 5), ("marginal", 5), ("correlated", 1)])
def test_look(benchmark, chips, noise, rounds):
    benchmark.pedantic(look_later(chips[noise]), rounds=rounds)


@pytest.mark.parametrize("noise", ["none", "correlated"])
def test_product_with_a_batch_of_32(benchmark, chips, noise):
    x = np.random.default_rng(1).random((BATCH, SIZE), dtype=np.float32)
    chips[noise].multiply("w", x)
    benchmark.pedantic(chips[noise].multiply, args=("w", x), rounds=10)
