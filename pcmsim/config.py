"""Configuration of a run: YAML in, checked and frozen models out.

Every refusal names the dotted path of the key, what was found and what is allowed.
"""

import difflib
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pcmsim.errors import UsageError
from pcmsim.yamltext import load_yaml

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=65_536)]
Bits = Annotated[int, Field(ge=2, le=16)]


class Section(BaseModel):
    """What all sections share: no unknown keys, no silent conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Data(Section):
    """Which sequences; `pieces` limits how many chorales `bach` parses."""

    name: Literal["jsb", "bach", "synthetic"]
    pieces: Count | None = None


class Network(Section):
    """Layer sizes and the unit (Wozniak et al., doi:10.1038/s42256-020-0187-0)."""

    unit: Literal["snu", "ssnu"]
    inputs: Count = 88
    hidden: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)] = (150,)
    outputs: Count = 88
    recurrent: bool = False
    decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.8
    activation: Literal["identity", "relu", "leaky_relu"] = "identity"
    threshold: Annotated[float, Field(ge=-1e6, le=1e6)] = 1.0


class Training(Section):
    """Backpropagation through time with AdamW on the summed loss of a batch of sequences."""

    epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NotNegative = 0.0
    dropout: Fraction = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    gradient_clip: Positive | None = None


class Hardware(Section):
    """How weights are written onto devices and read; `device` is a parameter set or its file.

    Converters have `input_bits` and `output_bits`, None being exact; outputs saturate at
    `output_bound` times the largest weight of their column. `wire_ohm` is the resistance of a
    wire segment [Ω].
    """

    device: str = "pcm-gst-90nm"
    clip_std: Annotated[float, Field(ge=0.1, allow_inf_nan=False)] | None = None
    scale: Literal["matrix", "column"] = "matrix"
    pairs: Annotated[int, Field(ge=1, le=256)] = 1
    tile_rows: Count = 256
    tile_columns: Count = 256
    read_noise: Literal["correlated", "marginal", "none"] = "correlated"
    input_bits: Bits | None = None
    output_bits: Bits | None = None
    output_bound: Positive = 10.0
    wire_ohm: NotNegative = 0.0


class Config(Section):
    """A whole run."""

    seed: Annotated[int, Field(ge=0)] = 0
    data: Data
    network: Network
    training: Training
    hardware: Hardware = Hardware()


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
        raise UsageError(f"{source}: {_explain(error.errors()[0])}") from None


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
    path = ".".join(str(part) for part in error["loc"]) or "the config"
    if error["type"] == "extra_forbidden":
        return f"{path} is not a known key; {_advice(error['loc'])}"
    if error["type"] == "missing":
        return f"{path} is missing; add it"
    value = error["input"]
    if value is None:
        return f"{path} has no value; give it one or leave the line out"
    if error["type"] == "tuple_type":
        return f"{path} = {value!r:.60}: write a list, such as [{value!r:.20}]"
    if isinstance(value, str) and error["type"] in ("float_type", "int_type") and _is_number(value):
        return f"{path} = {value!r} is text to YAML; write {_yaml_number(value)}"
    return f"{path} = {value!r:.60}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _advice(location: tuple[Any, ...]) -> str:
    section: type[BaseModel] = Config
    for part in location[:-1]:
        section = section.model_fields[part].annotation  # type: ignore[assignment]
    known = list(section.model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    prefix = "".join(f"{part}." for part in location[:-1])
    if close:
        return f"did you mean {prefix}{close[0]}?"
    return f"known here: {', '.join(prefix + name for name in known)}"


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
