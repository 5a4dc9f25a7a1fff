"""What a training run keeps of its network's activity: counts, energies, a raster of spikes."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pcmsim.config import Hardware
from pcmsim.datasets import Sequences
from pcmsim.devices import load_parameter_set
from pcmsim.energy import (
    Activity,
    ArrayEnergy,
    Operations,
    array_energy,
    hidden_outputs,
    load_prices,
    measure,
    operations,
    raster,
    taken,
)
from pcmsim.files import replacing_hdf5
from pcmsim.networks import SpikingNetwork, Window

RASTER = "raster.h5"
LARGEST = 256  # steps and units of a raster that are kept


def described(network: SpikingNetwork, test: Sequences, hardware: Hardware) -> dict[str, Any]:
    """Operations and energy of `network` over `test`, per step, for `results.json`."""
    activity = measure(network, test)
    prices = load_prices()
    rows = []
    for i, layer in enumerate(operations(network, activity)):
        energy = _on_arrays(network, i, activity, hardware)
        sent = activity.hidden[i] if i < len(activity.hidden) else None
        rows.append(_row(layer) | {"arrays": asdict(energy)} | _rate(sent))
    return {
        "split": test.name,
        "steps": activity.steps,
        "sequences": activity.sequences,
        "inputs_rate": float(activity.inputs.share.mean()),
        "device_set": hardware.device,
        "layers": rows,
        "pairs": [{"name": name, **asdict(pair)} for name, pair in prices.pairs.items()],
        "figures": asdict(prices.arrays),
    }


def save_raster(path: Path, network: SpikingNetwork, test: Sequences) -> None:
    """Write the hidden outputs of the first sequence of `test` as bytes (steps, units).

    Of a convolution these are what it sends on; where there are more than `LARGEST`, they are
    spread evenly over the image, whose corner is empty in most pictures.
    Raises `DataError` if the disk refuses.
    """
    x = taken(network, test.batch([0]))
    with replacing_hdf5(path) as file:
        for name, outputs in zip(network.hidden, hidden_outputs(network, x), strict=True):
            kept = _kept(outputs.shape[2], name in network.windows)
            grey = raster(outputs[:LARGEST, 0, kept])
            data = file.create_dataset(name, data=grey, compression="gzip")
            data.attrs["steps"], data.attrs["units"] = outputs.shape[0], outputs.shape[2]


def _kept(units: int, spread: bool) -> NDArray[np.int64]:
    """Numbers of the units in a raster: the first, or evenly spread ones."""
    if not spread or units <= LARGEST:
        return np.arange(min(units, LARGEST))
    return np.linspace(0, units - 1, LARGEST).round().astype(np.int64)


def _row(layer: Operations) -> dict[str, Any]:
    """Counts of a layer, which are named after it."""
    values = asdict(layer)
    return {"name": values.pop("layer"), **values}


def _rate(sent: Any) -> dict[str, Any]:
    if sent is None:
        return {"binary": None, "rate": None, "mean_output": None}
    rate, mean = float(sent.share.mean()), float(sent.size.mean())
    return {"binary": sent.binary, "rate": rate, "mean_output": mean}


def _on_arrays(
    network: SpikingNetwork, i: int, activity: Activity, hardware: Hardware
) -> ArrayEnergy:
    """Energy of the products of layer `i` on arrays."""
    name = [*network.hidden, "readout"][i]
    arriving = (activity.inputs, *activity.hidden)[i]
    values, figures = load_parameter_set(hardware.device).values, load_prices().arrays
    per_step, total = network.products(), ArrayEnergy(0.0, 0.0, 0.0)
    for matrix, weight in network.matrices().items():
        if matrix.startswith(f"{name}."):
            forward = matrix == f"{name}.weight"
            size = arriving.size if forward else activity.hidden[i].returned_size
            if name in network.windows:
                size = _of_patches(network.windows[name], size)
            parts = (weight.detach().numpy(), size, values, hardware, figures)
            total += array_energy(*parts, products=per_step[matrix])
    return total


def _of_patches(window: Window, size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean absolute inputs of the rows of a convolution, summed over its patches."""
    rows = window.patches(torch.from_numpy(size)[None, None])
    summed: NDArray[np.float64] = rows.sum((0, 1)).numpy()
    return summed
