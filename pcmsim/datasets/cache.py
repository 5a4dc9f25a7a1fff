"""The user's cache folder."""

import hashlib
from pathlib import Path

import platformdirs


def folder() -> Path:
    """Folder of downloaded and built data sets; it need not exist."""
    return platformdirs.user_cache_path("pcmsim")


def checksum(path: Path) -> str:
    """SHA-256 of the file at `path`."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
