"""A run in the loop in one file that is replaced in one step: software, devices, clock, history.

Devices and weights of different moments would be of no use to each other, so the state of a
simulated chip lies in the same file. Of a real chip there is none to keep: it goes on from what its
devices are.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from pcmsim.errors import DataError
from pcmsim.files import replace
from pcmsim.loop.checkpoint import checksum, read_checked
from pcmsim.loop.crossbar import Crossbar, Restorable
from pcmsim.loop.loop_network import ReadBack
from pcmsim.loop.loop_run import LoopReport, LoopRun, Position
from pcmsim.loop.optimiser import moments, restore_moments
from pcmsim.loop.rules import Tally

FORMAT = 1
FILE = "checkpoint.safetensors"


def save_training(run: LoopRun, arrays: Mapping[str, Crossbar], folder: Path) -> None:
    """Replace the checkpoint in `folder`; `DataError` if the disk refuses."""
    tensors = {f"model/{k}": v.detach() for k, v in run.model.state_dict().items()}
    tensors |= {f"moment/{k}": v for k, v in moments(run.model, run.optimiser).items()}
    for name, array in run.model.arrays.items():
        tensors[f"scale/{name}"] = torch.from_numpy(np.array(array.scale))
        product = run.model.products[name]
        if isinstance(product, ReadBack):
            tensors[f"readback/{name}"] = torch.from_numpy(product.weight)
    for name, memory in run.memories.items():
        tensors |= {f"memory/{name}/{k}": torch.from_numpy(v) for k, v in memory.items()}
    if isinstance(arrays, Restorable):
        content = np.frombuffer(arrays.snapshot(), dtype=np.uint8)
        tensors["chip"] = torch.from_numpy(content.copy())
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    about = json.dumps({"position": asdict(run.position), "history": _plain(run.history)})
    header = {"format": str(FORMAT), "about": about, "sha256": checksum(tensors, about)}
    replace(folder / FILE, save(tensors, metadata=header))


def restore_training(run: LoopRun, arrays: Mapping[str, Crossbar], folder: Path) -> bool:
    """Bring `run` and, if it is simulated, its chip to where the checkpoint in `folder` stands.

    Returns False, with nothing changed, if there is none. Raises `DataError` if it is damaged or
    belongs to another network.
    """
    path = folder / FILE
    if not path.exists():
        return False
    tensors, text = read_checked(path, FORMAT, "about")
    about = json.loads(text)
    try:
        _restore(run, arrays, tensors, about)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = " ".join(str(error).split())
        raise DataError(f"{path} does not belong to this run: {reason:.200}") from error
    return True


def _restore(
    run: LoopRun, arrays: Mapping[str, Crossbar], tensors: dict[str, Tensor], about: dict[str, Any]
) -> None:
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = value
    run.model.load_state_dict(groups["model"])
    restore_moments(run.model, run.optimiser, groups.get("moment", {}))
    if isinstance(arrays, Restorable):
        arrays.restore(groups["chip"][""].numpy().tobytes())
    for name, scale in groups["scale"].items():
        run.model.arrays[name].scale = scale.numpy().copy()
    for name, weight in groups.get("readback", {}).items():
        run.model.products[name] = ReadBack(weight.numpy().copy())
    run.memories = {}
    for path, value in groups.get("memory", {}).items():
        name, _, field = path.rpartition("/")
        run.memories.setdefault(name, {})[field] = value.numpy().copy()
    for name in run.model.arrays:
        run.memories.setdefault(name, {})
    position = about["position"]
    run.position = Position(**(position | {"tally": Tally(**position["tally"])}))
    run.history = [LoopReport(**report) for report in about["history"]]


def _plain(history: list[LoopReport]) -> list[dict[str, Any]]:
    return [asdict(report) for report in history]
