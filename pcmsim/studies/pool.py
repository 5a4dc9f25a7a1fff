"""Where units are worked out: on Dask workers of this machine, of a cluster, or right here."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import groupby
from typing import Protocol

import dask
from distributed import Client, Future, LocalCluster, wait

from pcmsim.devices import Recent
from pcmsim.errors import PcmsimError, UsageError
from pcmsim.studies.materials import Materials
from pcmsim.studies.plan import Unit
from pcmsim.studies.unit import Outcome, run_unit

Work = Callable[[Unit, Materials, Recent], Outcome]
LOCAL, HERE = "local", "here"
# A cluster that does not answer by then is not there.
_PATIENCE_S = 20.0
_GLANCE_S = 0.5


class Pool(Protocol):
    """Works units out in any order."""

    def outcomes(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, Outcome] | None]:
        """Yield each unit with its outcome as soon as it is there, and None while none is."""
        ...


class Here:
    """One unit after the other in this process."""

    def __init__(self, materials: Materials, work: Work = run_unit) -> None:
        self._materials, self._work = materials, work

    def outcomes(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, Outcome]]:
        """Yield units in order."""
        for group in of_one_chip(units):
            recent = Recent()
            for unit in group:
                yield unit, self._work(unit, self._materials, recent)


class Workers:
    """Dask workers, which have the materials; one that dies is replaced, its unit begun again."""

    def __init__(self, client: Client, materials: Materials, work: Work = run_unit) -> None:
        self._client, self._work = client, work
        # As a task, not scattered: what a worker takes with it can then be made again.
        self._materials = client.submit(_same, materials, pure=False)

    def outcomes(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, Outcome] | None]:
        """Yield units as they are finished; a unit that no worker survives has failed.

        Begun in the order of `units`. None comes now and then, so that whoever asks can stop.
        """
        futures = {self._submit(group, -i): group for i, group in enumerate(of_one_chip(units))}
        try:
            while futures:
                for future in _finished(futures):
                    yield from _outcomes(future, futures.pop(future))
                yield None
        finally:
            self._client.cancel(list(futures))

    def _submit(self, group: tuple[Unit, ...], priority: int) -> Future:
        # Not pure: a unit that failed is worked out again, not looked up.
        return self._client.submit(
            run_group, group, self._materials, self._work, priority=priority, pure=False
        )


def of_one_chip(units: Iterable[Unit]) -> Iterator[tuple[Unit, ...]]:
    """Groups of units that follow one another with the same devices on the same chip.

    They differ in the network alone, and slow noise is a matter of devices.
    """
    for _, group in groupby(units, key=lambda unit: (unit.devices, unit.chip)):
        yield tuple(group)


def run_group(units: tuple[Unit, ...], materials: Materials, work: Work) -> list[Outcome]:
    """Work out units of one chip, one after the other."""
    recent = Recent()
    return [work(unit, materials, recent) for unit in units]


@contextmanager
def open_pool(
    scheduler: str, workers: int | None, materials: Materials, work: Work = run_unit
) -> Iterator[Pool]:
    """Workers for a block: "local" processes, "here", or the scheduler at an address.

    `workers` is the number of local processes, one for each core unless given. Raises `UsageError`
    if no scheduler answers at the address.
    """
    if scheduler == HERE:
        yield Here(materials, work)
        return
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with dask.config.set(_SETTINGS), _client(scheduler, workers) as client:
        yield Workers(client, materials, work)


# One thread for each worker: there is a worker for each core.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_SETTINGS = {
    # Dask would have memory given back to the system at every turn, and each temporary array be
    # mapped in anew, page by page: arrays come and go here all the time, and are small.
    "distributed.nanny.pre-spawn-environ": {
        "MALLOC_TRIM_THRESHOLD_": str(2**28),
        "MALLOC_MMAP_THRESHOLD_": str(2**28),
        **dict.fromkeys(_THREADS, "1"),
    },
    "distributed.worker.preload": ["pcmsim.studies.preload"],
    # A worker that dies three times over the same unit is not to blame.
    "distributed.scheduler.allowed-failures": 3,
    "distributed.comm.timeouts.connect": f"{_PATIENCE_S:g}s",
}


@contextmanager
def _client(scheduler: str, workers: int | None) -> Iterator[Client]:
    if scheduler != LOCAL:
        with _connected(scheduler) as client:
            yield client
        return
    with _started(workers) as cluster, Client(cluster) as client:
        yield client


def _started(workers: int | None) -> LocalCluster:
    """Workers on this machine, which no other machine can reach."""
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        # A port of its own choice: another study may be at work beside this one.
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    )


def _connected(address: str) -> Client:
    try:
        if "://" not in address:
            raise ValueError("no address")
        return Client(address, timeout=_PATIENCE_S)
    # What a transport that is not there raises is a matter of the transport.
    except (OSError, ValueError, TypeError, ImportError, RuntimeError) as error:
        raise UsageError(
            f"no scheduler answers at {address!r} ({error}); write local, here, or the address of "
            f"one that was started with `dask scheduler`, such as tcp://host:8786"
        ) from error


def check_place(scheduler: str, workers: int | None) -> None:
    """Raise `UsageError` if there is no such place to work at."""
    if workers is not None and (isinstance(workers, bool) or workers < 1):
        raise UsageError(f"workers = {workers}: at least one is needed")
    if scheduler not in (LOCAL, HERE):
        with dask.config.set(_SETTINGS):
            _connected(scheduler).close()


def _finished(futures: Iterable[Future]) -> list[Future]:
    """Futures that are done, after some time at the latest."""
    try:
        done = wait(list(futures), timeout=_GLANCE_S, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        return []
    except (CancelledError, OSError) as error:
        raise PcmsimError(
            f"the scheduler went away ({type(error).__name__}: {error}); what was finished is on "
            f"disk: start a scheduler and go on with --resume"
        ) from error
    return sorted(done, key=lambda future: str(future.key))


def _same(materials: Materials) -> Materials:
    return materials


def _outcomes(future: Future, units: tuple[Unit, ...]) -> list[tuple[Unit, Outcome]]:
    error = future.exception()
    if error is None:
        return list(zip(units, future.result(), strict=True))
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return [(unit, Outcome({}, dict.fromkeys(unit.lives, reason))) for unit in units]
