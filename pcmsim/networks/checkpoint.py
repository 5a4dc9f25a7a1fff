"""A trained network on disk: weights.safetensors beside network.yaml. Nothing is executed."""

import hashlib
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pcmsim.config import Network
from pcmsim.errors import DataError
from pcmsim.files import replace
from pcmsim.networks.network import SpikingNetwork

# The newest format; a network that needs none of its keys is written as format 2, without them.
FORMAT = 3
# What all networks of format 1 had, which knew the keys of `KEYS_1` alone.
KEYS_1 = (
    "unit",
    "inputs",
    "hidden",
    "outputs",
    "recurrent",
    "decay",
    "activation",
    "threshold",
)
ALL_1 = {
    "trained_decay": False,
    "time_constants": None,
    "adaptation": None,
    "readout": {"name": "dense"},
}
# Of the keys that only format 3 has, some came later: what was written before has none of it.
LATER = ("initial", "embedding", "tied")
KEYS_3 = ("image", "convolutions", *LATER)
WEIGHTS = "weights.safetensors"
DESCRIPTION = "network.yaml"


def save_network(network: SpikingNetwork, folder: Path) -> None:
    """Write the network into `folder`, which is made if it does not exist.

    `network.yaml` holds the format version, the configuration and the SHA-256 of the weights.
    Raises `DataError` if the disk refuses.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in _tensors(network).items()}
    weights = save(tensors)
    fields = Network.model_fields
    plain = all(getattr(network.spec, name) == fields[name].default for name in KEYS_3)
    description = {
        "format": 2 if plain else FORMAT,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "network": network.spec.model_dump(mode="json", exclude=set(KEYS_3) if plain else None),
    }
    text = yaml.safe_dump(description, sort_keys=False)
    replace(folder / WEIGHTS, weights)
    replace(folder / DESCRIPTION, text.encode())


def load_network(folder: Path) -> SpikingNetwork:
    """Read the network that `save_network` wrote into `folder`.

    Raises `DataError` if a file is missing or damaged, if the format version is another one, and
    for tensors that are missing, left over, ill-shaped, of mixed precision or not finite.
    """
    description = _description(folder)
    spec = _spec(description, folder)
    weights = _read(folder / WEIGHTS)
    if hashlib.sha256(weights).hexdigest() != description.get("weights_sha256"):
        raise DataError(
            f"{folder / WEIGHTS} is not the file that {DESCRIPTION} was written with (its SHA-256 "
            f"differs); restore both from one copy or train again"
        )
    try:
        tensors = load(weights)
    except SafetensorError as error:
        raise DataError(f"{folder / WEIGHTS} is not a safetensors file: {error}") from error
    return _filled(spec, tensors, folder / WEIGHTS)


def _description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        values = yaml.safe_load(_read(path))
    except yaml.YAMLError as error:
        raise DataError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    found = values.get("format") if isinstance(values, dict) else None
    if not isinstance(values, dict) or found not in range(1, FORMAT + 1):
        raise DataError(
            f"{path}: format is {found!r}; this version reads formats 1 to {FORMAT}: use the "
            f"version that wrote it or train again"
        )
    return values


def _spec(description: dict[str, Any], folder: Path) -> Network:
    path, values = folder / DESCRIPTION, description.get("network")
    old = description["format"] == 1
    for name in _keys(description["format"]):
        # A key that is gone must not come back as its default.
        if not isinstance(values, dict) or (name not in values and name not in LATER):
            raise DataError(f"{path}: network.{name} is missing; restore the file")
    try:
        return Network.model_validate(_from_format_1(values, path) if old else values)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(["network", *map(str, fault["loc"])])
        raise DataError(f"{path}: {place} = {fault['input']!r:.60}: {fault['msg']}") from None


def _keys(found: int) -> tuple[str, ...]:
    """Keys that a network of format `found` has."""
    if found == 1:
        return KEYS_1
    return tuple(name for name in Network.model_fields if found == FORMAT or name not in KEYS_3)


def _from_format_1(values: Any, path: Path) -> dict[str, Any]:
    """Return what format 2 says of a network of format 1."""
    for name in values:
        if name not in KEYS_1:
            raise DataError(f"{path}: format 1 has no network.{name}; restore the file")
    surrogate = {"name": "tanh"} if values["unit"] == "snu" else None
    return {**values, **ALL_1, "surrogate": surrogate}


def _filled(spec: Network, tensors: dict[str, Tensor], path: Path) -> SpikingNetwork:
    precisions = {tensor.dtype for tensor in tensors.values()}
    if precisions not in ({torch.float32}, {torch.float64}):
        found = ", ".join(sorted(map(str, precisions))) or "no tensors"
        raise DataError(f"{path} holds {found}; all must be torch.float32, or all torch.float64")
    network = SpikingNetwork(spec, dtype=precisions.pop())
    _check(tensors, _tensors(network), path)
    network.load_state_dict(tensors)
    return network


def _check(found: dict[str, Tensor], wanted: dict[str, Tensor], path: Path) -> None:
    for name in sorted(found.keys() ^ wanted.keys()):
        fault = "is missing" if name in wanted else f"does not belong to a {DESCRIPTION} like this"
        raise DataError(f"{path}: {name} {fault}; expected are {', '.join(sorted(wanted))}")
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape:
            raise DataError(
                f"{path}: {name} has shape {tuple(tensor.shape)}; {DESCRIPTION} asks for "
                f"{tuple(wanted[name].shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise DataError(f"{path}: {name} holds values that are not finite; train again")


def _tensors(network: SpikingNetwork) -> dict[str, Tensor]:
    values: dict[str, Tensor] = network.state_dict()
    return values


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
