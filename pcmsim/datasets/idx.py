"""The idx layout of the MNIST database: a header that gives the shape, then one byte per entry.

Header, big-endian: two zero bytes, the type of an entry (8: unsigned byte), the number of axes, and
32 bits for the length of each axis. As described on the page of the database (LeCun, Cortes and
Burges, http://yann.lecun.com/exdb/mnist/). A file may be compressed with gzip.
"""

import gzip
import hashlib
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pcmsim.errors import DataError

UNSIGNED_BYTE = 8
GZIP = b"\x1f\x8b"
LARGEST_BYTES = 1 << 30

UInt8 = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Idx:
    """Content of one file: `values`, and the SHA-256 of the file without its compression."""

    values: UInt8
    sha256: str


def read_idx(path: Path, axes: int) -> Idx:
    """Read an idx file of unsigned bytes with so many `axes`, compressed or not.

    Raises `DataError` for a file that cannot be read, another type or number of axes, and a size
    that is not the one of the header.
    """
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(f"{path} is no idx file: it starts with {content[:4].hex() or 'nothing'}")
    kind, found = content[2], content[3]
    if kind != UNSIGNED_BYTE or found != axes:
        raise DataError(
            f"{path} holds type {kind} and {found} axes; needed are unsigned bytes "
            f"(type {UNSIGNED_BYTE}) and {axes} axes"
        )
    start = 4 + 4 * axes
    if len(content) < start:
        raise DataError(f"{path} ends within its header, after {len(content)} bytes")
    shape = struct.unpack(f">{axes}I", content[4:start])
    wanted = math.prod(shape)
    if len(content) - start != wanted:
        raise DataError(
            f"{path} holds {len(content) - start} entries; its header says {wanted}, {shape}"
        )
    values = np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
    return Idx(values, hashlib.sha256(content).hexdigest())


def _content(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == GZIP
        with gzip.open(path) if compressed else open(path, "rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if len(content) > LARGEST_BYTES:
        raise DataError(f"{path} is larger than {LARGEST_BYTES} bytes; no idx file here is")
    return content
