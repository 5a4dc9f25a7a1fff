"""The three file layouts in which chorales are passed around.

`.mat`   cell arrays `traindata`, `validdata`, `testdata`; each cell is one roll (steps, 88).
`.json`  keys `train`, `valid`, `test`, each a list of chorales, each a list of steps. If every
         step of a chorale has 88 entries they are rows of zeros and ones; otherwise a step lists
         the MIDI pitches (21 to 108) that sound, and an empty list is silence.
`.npz`   for each split the rolls on top of one another, (sum of steps, 88), under its name, and
         the number of steps of each under `<split>_lengths`. Object arrays are pickles: refused.
"""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError

from pcmsim.datasets.roll import KEYS, LOWEST_PITCH, SPLITS, Roll, as_roll, from_pitches
from pcmsim.errors import DataError

Splits = dict[str, list[Roll]]

# What the three readers were seen to raise on truncated and overwritten files.
DAMAGE = (
    OSError, ValueError, TypeError, KeyError, IndexError, EOFError, MemoryError, RecursionError,
    NotImplementedError, zlib.error, struct.error, zipfile.BadZipFile, MatReadError,
)  # fmt: skip


def read(path: Path) -> Splits:
    """Read the rolls of each split from the file at `path`, whose ending names the layout.

    Raises `DataError` for another ending, a damaged file and anything that is not a roll.
    """
    readers = {".mat": _read_mat, ".json": _read_json, ".npz": _read_npz}
    if path.suffix not in readers:
        raise DataError(f"{path} ends in {path.suffix!r}; known layouts: {', '.join(readers)}")
    try:
        return readers[path.suffix](path)
    except DataError:
        raise
    except DAMAGE as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise DataError(f"{path} is damaged or no {path.suffix} file: {reason:.150}") from error


def pack(splits: Mapping[str, Sequence[Roll]]) -> bytes:
    """Content of an `.npz` file of the rolls."""
    arrays: dict[str, Any] = {}
    for name in SPLITS:
        arrays[name] = np.concatenate([np.zeros((0, KEYS), np.uint8), *splits[name]])
        arrays[f"{name}_lengths"] = np.array([len(roll) for roll in splits[name]], dtype=np.int64)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def _read_mat(path: Path) -> Splits:
    cells = scipy.io.loadmat(path, variable_names=[f"{name}data" for name in SPLITS])
    _check_names(path, cells, [f"{name}data" for name in SPLITS])
    return {name: _rolls(path, name, cells[f"{name}data"].ravel()) for name in SPLITS}


def _read_json(path: Path) -> Splits:
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        raise DataError(
            f"{path} holds a {type(content).__name__}, not the keys {', '.join(SPLITS)}"
        )
    _check_names(path, content, SPLITS)
    return {
        name: _rolls(
            path, name, [_chorale(c, f"{path}: {name}[{i}]") for i, c in enumerate(content[name])]
        )
        for name in SPLITS
    }


def _read_npz(path: Path) -> Splits:
    # From memory: numpy leaves a file open that turns out to be no archive.
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
        arrays = dict(file)
    _check_names(path, arrays, [name + end for name in SPLITS for end in ("", "_lengths")])
    return {
        name: _rolls(path, name, _cut(path, name, arrays[name], arrays[f"{name}_lengths"]))
        for name in SPLITS
    }


def _chorale(steps: Any, where: str) -> Any:
    if all(isinstance(step, list) and len(step) == KEYS for step in steps):
        return steps
    for t, step in enumerate(steps):
        for pitch in step:
            if type(pitch) is not int or not LOWEST_PITCH <= pitch < LOWEST_PITCH + KEYS:
                raise DataError(
                    f"{where} step {t} holds {pitch!r:.20}; a step is {KEYS} zeros and ones "
                    f"or MIDI pitches {LOWEST_PITCH} to {LOWEST_PITCH + KEYS - 1}"
                )
    return from_pitches(steps)


def _cut(path: Path, name: str, stack: Any, lengths: Any) -> list[Any]:
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths < 0).any():
        raise DataError(f"{path}: {name}_lengths must be whole numbers of steps, one per roll")
    if int(lengths.sum()) != len(stack):
        raise DataError(
            f"{path}: {name}_lengths add up to {lengths.sum()} steps; {name} has {len(stack)}"
        )
    return np.split(stack, np.cumsum(lengths)[:-1]) if len(lengths) else []


def _check_names(path: Path, found: Mapping[str, Any], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}; this layout has {', '.join(names)}")


def _rolls(path: Path, name: str, values: Any) -> list[Roll]:
    return [as_roll(value, f"{path}: {name}[{i}]") for i, value in enumerate(values)]
