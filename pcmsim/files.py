"""Files that appear whole or not at all."""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py

from pcmsim.errors import DataError


def replace(path: Path, content: bytes | memoryview) -> None:
    """Write `content` beside `path`, then put it in its place in one step.

    A crash, a kill or a full disk leaves what stood there before. Raises `DataError`.
    """
    path = Path(path)
    with suppress(OSError):  # if it fails, so will writing, and that says why
        path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: two runs may write the same file at the same time.
    partial = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        # A disk that refuses to write may refuse to delete; the first error is the news.
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise DataError(
            f"{path} cannot be written ({error}); what was written before is intact: free some "
            f"space or make the folder writable, and resume"
        ) from error


@contextmanager
def replacing_hdf5(path: Path, keep: bool = False) -> Iterator[h5py.File]:
    """HDF5 file to fill, which takes the place of `path` when the block ends without error.

    With `keep` it starts as a copy of what is there. The file is built in memory, because HDF5
    itself leaves handles open, and the process in a bad state, when a disk is full.
    """
    start = Path(path).read_bytes() if keep and Path(path).exists() else b""
    buffer = io.BytesIO(start)
    with h5py.File(buffer, "a" if start else "w") as file:
        yield file
    replace(path, buffer.getbuffer())
