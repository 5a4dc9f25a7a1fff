"""Files that a user already has: where they are, and whether they are the right ones."""

import os
from collections.abc import Sequence
from pathlib import Path

from pcmsim.datasets import cache
from pcmsim.errors import DataError


def find(
    name: str, files: Sequence[str], path: Path | None, remedy: str, packed: bool = False
) -> tuple[Path, ...]:
    """Paths of all `files` of the data set `name`; with `packed`, also gzipped as `<file>.gz`.

    They are looked for in the folder `path`, else in that of the environment variable PCMSIM_DATA,
    else in the user's cache, there in the subfolder `name` or right away. Where one file is all,
    `path` may be the file. Raises `DataError`, ending in `remedy`, unless all are in one folder.
    """
    pointed = os.environ.get("PCMSIM_DATA")
    if path is not None:
        folder, named = Path(path), str(path)
    elif pointed:
        folder, named = Path(pointed), f"PCMSIM_DATA = {pointed}"
    else:
        folder, named = cache.folder(), f"the cache folder {cache.folder()}"
    if folder.is_file() and len(files) == 1:
        return (folder,)
    missing: list[str] = []
    for place in (folder / name, folder):
        paths = [_as_it_is(place / file, packed) for file in files]
        absent = [file for file, there in zip(files, paths, strict=True) if not there.is_file()]
        if not absent:
            return tuple(paths)
        # What is said to be missing is measured against the folder that holds more.
        missing = absent if not missing or len(absent) < len(missing) else missing
    raise DataError(
        f"data set {name}: {named} lacks {', '.join(missing)}, there or in a subfolder {name}; "
        f"{remedy}, and point PCMSIM_DATA or a path at their folder"
    )


def check(path: Path, sha256: str, right: str, what: str) -> None:
    """Raise `DataError` unless the SHA-256 of `what` in the file at `path` is the `right` one."""
    if sha256 != right:
        raise DataError(
            f"{path} is not the published file: SHA-256 of {what} is {sha256}, not {right}; "
            f"fetch it again"
        )


def _as_it_is(path: Path, packed: bool) -> Path:
    other = path.with_name(f"{path.name}.gz")
    return other if packed and other.is_file() and not path.is_file() else path
