"""How many threads products work with."""

import contextlib
from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and numpy use one thread inside the block, and as many as before after it.

    The matrices of a batch are so small that a second thread gains little on an idle machine,
    and on a busy one each product waits for it: an epoch then takes ten times as long. One
    thread also keeps the order of every sum, whatever the machine.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
