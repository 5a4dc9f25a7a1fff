"""What a drift run keeps of its devices: the parameter set, and the first chip's conductances."""

from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcmsim.crossbar import Chip
from pcmsim.devices import ParameterSet
from pcmsim.files import replacing_hdf5

ARRAYS = "arrays.h5"
DEVICE = "device.json"
Conductances = dict[str, NDArray[np.floating[Any]]]


def conductances(chip: Chip) -> Conductances:
    """Noiseless conductances [µS] of every matrix now, (2, pairs, rows, columns)."""
    return {name: chip.conductances(name) for name in chip.matrices}


def save(path: Path, start: Conductances, end: Conductances, t_end_s: float) -> None:
    """Write conductances after programming and at `t_end_s` [s]; `DataError` on a bad disk."""
    with replacing_hdf5(path) as file:
        for name in start:
            group = file.create_group(name)
            group.attrs["t_start_s"], group.attrs["t_end_s"] = 0.0, t_end_s
            for key, g in (("g_start", start[name]), ("g_end", end[name])):
                group.create_dataset(key, data=g, compression="gzip").attrs["units"] = "uS"


def describe(parameter_set: ParameterSet) -> dict[str, Any]:
    """The parameter set as plain values with units and sources, for results and reports."""
    return {
        "name": parameter_set.name,
        "title": parameter_set.title,
        "source": parameter_set.source,
        "entries": [
            {"name": name, "value": _plain(entry.value), "unit": entry.unit, "source": entry.source}
            for name, entry in parameter_set.entries.items()
        ],
    }


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
