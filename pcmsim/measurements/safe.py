"""Opening HDF5 files of others: nothing outside of the file, no objects, no absurd sizes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pcmsim.errors import DataError, PcmsimError
from pcmsim.measurements.layout import INSTRUMENT, INSTRUMENT_TEXT, KINDS
from pcmsim.measurements.texts import texts_of

# Attributes that may be texts, or that a user may have written as texts by mistake.
TEXTS = (
    "law",
    *("format", "version", "instrument", "units", *INSTRUMENT, *INSTRUMENT_TEXT),
    *sorted({number for kind in KINDS.values() for number in kind.numbers}),
)

# HDF5 filters that come with the library and hold no code.
_FILTERS = {
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
    h5py.h5z.FILTER_LZF,
}
# gzip reaches a ratio of about a thousand; more than this has to be on the disk.
_RATIO, _FREE_BYTES = 1100, 2**20
_CHUNK_BYTES, _MOST_ITEMS, _TEXT = 2**28, 1000, 4096


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn whatever the library stumbles over in a damaged file into one `DataError`."""
    try:
        yield
    except PcmsimError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is damaged: {reason:.200}; copy it again") from None


def open_hdf5(path: Path) -> h5py.File:
    """Open a file for reading; raises `DataError` if it is missing or no HDF5."""
    try:
        return h5py.File(path, "r", locking=False)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be opened as HDF5: {reason:.200}") from None


def groups(file: h5py.File) -> dict[str, h5py.Group]:
    """Groups at the root of the file; links to anywhere else are refused."""
    return {
        name: item for name, item in _items(file, file.filename) if isinstance(item, h5py.Group)
    }


def datasets(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """Datasets of a group that hold numbers, checked; raises `DataError` for any that does not."""
    found = {}
    for name, item in _items(group, group.name):
        if isinstance(item, h5py.Dataset):
            _check(item, f"{group.name}/{_shown(name)}".lstrip("/"))
            found[name] = item
    return found


def attribute(item: h5py.Group | h5py.Dataset, name: str) -> float | str | None:
    """An attribute that is one number or a short text; None if it is absent.

    Raises `DataError` for anything else, and for a text that the library cannot read in time.
    """
    if name not in item.attrs:
        return None
    where = f"attribute {name} of {_shown(item.name)}"
    low = h5py.h5a.open(item.id, name.encode())
    kind = low.get_type()
    if isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str():
        return _variable_text(item, name, where)
    if low.shape not in ((), (1,)) or low.dtype.kind not in "iufbS" or low.dtype.itemsize > _TEXT:
        raise DataError(f"{where} must be one number or a text")
    value: Any = np.asarray(item.attrs[name]).reshape(-1)[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else float(value)


def _variable_text(item: Any, name: str, where: str) -> str:
    try:
        found = texts_of(Path(item.file.filename), TEXTS)
    except OSError as error:
        raise DataError(f"{item.file.filename} is damaged: {error}; copy it again") from None
    if name not in found.get(item.name, {}):
        raise DataError(f"{where} must be one number or a text")
    return found[item.name][name].encode("utf-8", "replace").decode()


def _shown(name: str | None) -> str:
    """A name from the file, without anything that a terminal would obey."""
    name = name or "an object"
    return name if name.isprintable() and len(name) < 80 else ascii(name)[:80]


def _items(group: h5py.Group, where: str) -> list[tuple[str, Any]]:
    if len(group) > _MOST_ITEMS:
        raise DataError(f"{where} has {len(group)} members; a measurement file has a few")
    items = []
    for name in group:
        link, shown = group.get(name, getlink=True), _shown(name)
        if not isinstance(link, h5py.HardLink):
            raise DataError(f"{where}: {shown} is a link to elsewhere; copy the data into the file")
        try:
            items.append((name, group[name]))
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise DataError(f"{where}: {shown} cannot be read: {error}") from None
    return items


def _check(dataset: h5py.Dataset, where: str) -> None:
    if dataset.dtype.kind not in "iufb":
        raise DataError(f"{where} holds {dataset.dtype}; it must hold numbers")
    if dataset.is_virtual or dataset.external:
        raise DataError(f"{where} keeps its values in another file; copy them into this one")
    plist = dataset.id.get_create_plist()
    for i in range(plist.get_nfilters()):
        code = plist.get_filter(i)[0]
        if code not in _FILTERS:
            raise DataError(f"{where} is compressed by filter {code}; use gzip, lzf or none")
    size = dataset.size * dataset.dtype.itemsize if dataset.shape is not None else -1
    stored = dataset.id.get_storage_size()
    if size < 0 or size > _RATIO * stored + _FREE_BYTES:
        raise DataError(
            f"{where} declares the shape {dataset.shape} but holds {stored:,} bytes; "
            f"write it again with all its values"
        )
    if dataset.chunks and int(np.prod(dataset.chunks)) * dataset.dtype.itemsize > _CHUNK_BYTES:
        raise DataError(f"{where} has chunks of {dataset.chunks} values; at most 256 MiB each")
