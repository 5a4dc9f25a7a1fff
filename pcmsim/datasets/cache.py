"""The user's cache folder, written so that a reader never meets half a file."""

import hashlib
import os
import tempfile
from pathlib import Path

import platformdirs


def folder() -> Path:
    """Folder of downloaded and built data sets; it need not exist."""
    return platformdirs.user_cache_path("pcmsim")


def write(path: Path, content: bytes, sha256: str | None = None) -> bool:
    """Put `content` at `path` in one step: first a `.partial` file, then a rename.

    What is on the disk must have the checksum `sha256` if one is given; otherwise nothing is
    kept and the answer is false. Raises `OSError` if the disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: two runs may build the same file at the same time.
    handle, name = tempfile.mkstemp(prefix=path.name + ".", suffix=".partial", dir=path.parent)
    partial = Path(name)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if sha256 is not None and checksum(partial) != sha256:
            return False
        os.replace(partial, path)
        return True
    finally:
        partial.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """SHA-256 of the file at `path`."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
