"""Tiles side by side: each has devices and chance of its own, so cores can share them out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from numba import config

Result = TypeVar("Result")
# With fewer devices, starting threads costs more than they save.
MANY_DEVICES = 2**20


def side_by_side(work: Callable[[int], Result], parts: int, devices: int) -> list[Result]:
    """What `work` returns for each of `parts` tiles that hold `devices` devices together, in order.

    Large arrays use as many threads as numba does (`NUMBA_NUM_THREADS`, by default the cores of
    the process). `work` must depend on its tile alone: then the results do not depend on threads.

    >>> side_by_side(lambda tile: tile * tile, 3, devices=2**21)
    [0, 1, 4]
    """
    workers = min(parts, int(vars(config)["NUMBA_NUM_THREADS"]))
    if workers < 2 or devices < MANY_DEVICES:
        return [work(tile) for tile in range(parts)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, range(parts)))
