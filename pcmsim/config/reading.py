"""YAML in, checked and frozen sections out.

Every refusal names the dotted path of the key, what was found and what is allowed.
"""

import difflib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError

from pcmsim.config.base import Section
from pcmsim.config.hardware import Hardware
from pcmsim.config.loop import Aware, Loop
from pcmsim.config.software import Data, Network, Training
from pcmsim.errors import UsageError
from pcmsim.yamltext import load_yaml


class Config(Section):
    """A whole run; with a section `loop` it trains with the hardware in the loop."""

    seed: Annotated[int, Field(ge=0)] = 0
    data: Data
    network: Network
    training: Training
    hardware: Hardware = Hardware()
    aware: Aware | None = None
    loop: Loop | None = None


def load_config(path: Path, overrides: tuple[str, ...] = ()) -> Config:
    """Read the YAML file at `path`, apply `key=value` overrides, and check the whole.

    Raises `UsageError` that names the dotted path of whatever is wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"config {path} cannot be read: {error}") from error
    return build(override(_parse(text, str(path)), overrides), source=str(path))


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
        raise UsageError(f"{source}: {_explain((misspelt or faults)[0])}") from None


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


def _parse(text: str, source: str) -> dict[str, Any]:
    values = load_yaml(text, source)
    if not isinstance(values, dict):
        raise UsageError(
            f"{source}: a config is a list of `key: value` lines; found {values!r:.60}"
        )
    return values


def _explain(error: Any) -> str:
    path = _path(error["loc"]) or "the config"
    if error["type"] == "extra_forbidden":
        return f"{path} is not a known key; {_advice(error['loc'])}"
    if error["type"] == "missing":
        return f"{path} is missing; add it"
    value = error["input"]
    if value is None:
        return f"{path} has no value; give it one or leave the line out"
    if error["loc"][-1:] == ("rule",) and error["type"] != "union_tag_invalid":
        return (
            f"{path} = {value!r:.60}: write {{name: reprogram}}, or another rule, with its settings"
        )
    if error["type"] == "tuple_type":
        return f"{path} = {value!r:.60}: write a list, such as [{value!r:.20}]"
    if isinstance(value, str) and error["type"] in ("float_type", "int_type") and _is_number(value):
        return f"{path} = {value!r} is text to YAML; write {_yaml_number(value)}"
    return f"{path} = {value!r:.60}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _path(location: tuple[Any, ...]) -> str:
    """Dotted path of a location; tags of unions are no keys and are left out."""
    tags = [i for i, part in enumerate(location) if i and location[i - 1] == "rule"]
    return ".".join(str(part) for i, part in enumerate(location) if i not in tags)


def _advice(location: tuple[Any, ...]) -> str:
    """Names that could have been meant; a location alternates keys, list places and union tags."""
    kinds: list[Any] = [Config]
    prefix = ""
    for part in location[:-1]:
        fields = {k: v for kind in kinds for k, v in kind.model_fields.items()}
        if part in fields:
            kinds = list(_sections(fields[part]))
            prefix += f"{part}."
        elif isinstance(part, int):
            prefix += f"{part}."
        else:  # the tag of a union: the section with that name
            kinds = [k for k in kinds if part in get_args(k.model_fields["name"].annotation)]
    known = [name for kind in kinds for name in kind.model_fields]
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"did you mean {prefix}{close[0]}?"
    return f"known here: {', '.join(prefix + name for name in known)}"


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """All sections that a field may hold, behind options, lists and unions."""
    annotation = getattr(annotation, "annotation", annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for part in get_args(annotation):
        yield from _sections(part)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _yaml_number(text: str) -> str:
    mantissa, exponent = (
        re.split("[eE]", text.strip(), maxsplit=1) if "e" in text.lower() else (text, "")
    )
    if not exponent:
        return text.strip()
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{mantissa}e{int(exponent):+03d}"
