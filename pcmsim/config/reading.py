"""YAML in, checked and frozen sections out.

Every refusal names the dotted path of the key, what was found and what is allowed.
"""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from pcmsim.config.base import Section
from pcmsim.config.explaining import explain, parse
from pcmsim.config.hardware import Hardware
from pcmsim.config.learning import Bptt, Learning
from pcmsim.config.live import Live
from pcmsim.config.loop import Aware, Loop
from pcmsim.config.network import Network
from pcmsim.config.software import Data, Training
from pcmsim.errors import UsageError
from pcmsim.yamltext import load_yaml


class Config(Section):
    """A whole run; with a section `loop` it trains with the hardware in the loop.

    The section `live` is for `pcmsim live`.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    data: Data
    network: Network
    training: Training
    learning: Learning = Bptt()
    hardware: Hardware = Hardware()
    aware: Aware | None = None
    loop: Loop | None = None
    live: Live | None = None


def load_config(path: Path, overrides: tuple[str, ...] = ()) -> Config:
    """Read the YAML file at `path`, apply `key=value` overrides, and check the whole.

    Raises `UsageError` that names the dotted path of whatever is wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"config {path} cannot be read: {error}") from error
    return build(override(parse(text, str(path)), overrides), source=str(path))


def build(values: dict[str, Any], source: str = "config") -> Config:
    """Check a nested dictionary and freeze it; raises `UsageError` on the first fault.

    >>> build({"seed": 1, "data": {"name": "jsb"}, "network": {"unit": "snu", "decai": 0.8},
    ...        "training": {"epochs": 1, "batch_size": 8, "learning_rate": 1.0e-3}})
    Traceback (most recent call last):
        ...
    pcmsim.errors.UsageError: config: network.decai is not a known key; did you mean network.decay?
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        faults = error.errors()
        # A key that is misspelt is the reason for one that is missing.
        misspelt = [fault for fault in faults if fault["type"] == "extra_forbidden"]
        raise UsageError(f"{source}: {explain((misspelt or faults)[0], Config)}") from None


def override(values: dict[str, Any], settings: tuple[str, ...]) -> dict[str, Any]:
    """Copy of `values` with each `dotted.key=value` set; the value is read as YAML.

    >>> override({"training": {"epochs": 1}}, ("training.epochs=5",))
    {'training': {'epochs': 5}}
    """
    result = {k: dict(v) if isinstance(v, dict) else v for k, v in values.items()}
    for setting in settings:
        path, found, text = setting.partition("=")
        if not found or not path.strip():
            raise UsageError(f"--set {setting!r}: write it as section.key=value")
        *parents, leaf = path.strip().split(".")
        target = result
        for name in parents:
            target = target.setdefault(name, {})
            if not isinstance(target, dict):
                raise UsageError(f"--set {setting!r}: {name} is a value, not a section")
        target[leaf] = load_yaml(text, f"--set {setting!r}")
    return result


def dump(config: Config) -> str:
    """The configuration as YAML that `load_config` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
