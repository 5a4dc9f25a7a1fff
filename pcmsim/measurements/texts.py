"""Texts of variable length in files of others, read by a process of their own.

HDF5 keeps such texts in a heap; where the heap is damaged, the library may search it without end,
deaf to every signal. This file is run as a script that only prints what it finds, so that the time
can be limited. Texts of fixed length, which `pcmsim.measurements.writing` writes, need none of it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py

LIMIT_S = 10.0
_MEMORY_BYTES, _LONGEST, _MOST_ITEMS = 2**31, 4096, 1000


def texts_of(path: Path, names: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Attributes called `names` that are texts of variable length, for each object of the file.

    The process starts once for each state of a file. Raises `TimeoutError` after ten seconds and
    `OSError` if the library gives up.
    """
    status = Path(path).stat()
    return _texts_of(str(path), names, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=64)
def _texts_of(path: str, names: tuple[str, ...], *_: int) -> dict[str, dict[str, str]]:
    command = [sys.executable, "-I", str(Path(__file__).resolve()), path, *names]
    try:
        done = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"a text attribute cannot be read within {LIMIT_S:g} s") from None
    if done.returncode != 0:
        raise OSError("a text attribute cannot be read")
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def _objects(group: h5py.Group, depth: int = 1) -> Iterator[Any]:
    """The group, and what hard links lead to within it."""
    yield group
    for name in list(group)[:_MOST_ITEMS]:
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            item = group[name]
            if isinstance(item, h5py.Group) and depth:
                yield from _objects(item, depth - 1)
            else:
                yield item


def _variable(item: Any, name: str) -> bool:
    if name not in item.attrs:
        return False
    low = h5py.h5a.open(item.id, name.encode())
    text = isinstance(low.get_type(), h5py.h5t.TypeStringID) and low.get_type().is_variable_str()
    return bool(text) and low.shape in ((), (1,))


def _found(path: str, names: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    with h5py.File(path, "r", locking=False) as file:
        for item in _objects(file):
            for name in names:
                if _variable(item, name):
                    value = item.attrs[name]
                    value = value if isinstance(value, str) else value[0]
                    found.setdefault(item.name, {})[name] = str(value)[:_LONGEST]
    return found


def _limit() -> None:
    """End this process by itself where the system can, even if nobody waits for it any more."""
    try:
        import resource
    except ImportError:  # no such limits on this system; the time limit above remains
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (int(LIMIT_S), int(LIMIT_S)))


if __name__ == "__main__":
    _limit()
    sys.stdout.write(json.dumps(_found(sys.argv[1], sys.argv[2:])))
