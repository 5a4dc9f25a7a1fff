"""NIR files: HDF5, read and written whole."""

import io
from pathlib import Path

import nir

from pcmsim.errors import DataError
from pcmsim.files import replace

# What the reader of NIR was seen to raise on damaged and foreign files.
DAMAGE = (
    OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError,
    RuntimeError, RecursionError, MemoryError,
)  # fmt: skip


def write_nir(graph: nir.NIRGraph, path: Path) -> None:
    """Write `graph` to the file at `path` in one step; raises `DataError` if the disk refuses."""
    content = io.BytesIO()
    nir.write(content, graph)
    replace(path, content.getbuffer())


def read_nir(path: Path) -> nir.NIRGraph:
    """Graph in the file at `path`.

    Raises `DataError` for a file that is missing, damaged or of another kind, or that has nodes
    which NIR does not know.
    """
    try:
        graph = nir.read(path, type_check=False)
    except DAMAGE as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{path} cannot be read as a NIR graph ({reason:.200})") from error
    return graph
