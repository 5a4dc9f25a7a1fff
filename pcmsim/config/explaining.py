"""What is wrong with a configuration, in one line: the dotted path, the value, what is allowed."""

import difflib
import math
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from pcmsim.errors import UsageError
from pcmsim.yamltext import load_yaml

# Keys whose sections are told apart by `name`, and one such name.
_EXAMPLES = {
    ("rule",): "reprogram",
    ("surrogate",): "tanh",
    ("readout",): "dense",
    ("initial",): "glorot",
}
# Keys before a tag, which stands in locations but is no key.
_TAGGED = {*_EXAMPLES, ("learning",)}


def parse(text: str, source: str) -> dict[str, Any]:
    """Keys and values of YAML; raises `UsageError` if there are none."""
    values = load_yaml(text, source)
    if not isinstance(values, dict):
        raise UsageError(
            f"{source}: a config is a list of `key: value` lines; found {values!r:.60}"
        )
    return values


def explain(error: Any, root: type[BaseModel]) -> str:
    """One line about one fault that pydantic found in `root`, with the way out."""
    path = _path(error["loc"]) or "the config"
    if error["type"] == "extra_forbidden":
        return f"{path} is not a known key; {_advice(error['loc'], root)}"
    if error["type"] == "missing":
        return f"{path} is missing; add it"
    value = error["input"]
    if error["type"] == "value_error" and isinstance(value, BaseModel | dict):
        where = f"{path}: " if error["loc"] else ""
        return where + str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{path} = {value!r:.60}: {str(error['msg']).removeprefix('Value error, ')}"
    if value is None:
        return f"{path} has no value; give it one or leave the line out"
    if error["loc"][-1:] in _EXAMPLES and error["type"] != "union_tag_invalid":
        key, example = error["loc"][-1], _EXAMPLES[error["loc"][-1:]]
        return (
            f"{path} = {value!r:.60}: write {{name: {example}}}, or another {key}, "
            f"with its settings"
        )
    if error["loc"][-1:] == ("learning",) and error["type"] != "union_tag_invalid":
        return f"{path} = {value!r:.60}: write {{rule: ostl}}, or another rule, with its settings"
    if error["type"] == "tuple_type":
        return f"{path} = {value!r:.60}: write a list, such as [{value!r:.20}]"
    if isinstance(value, str) and error["type"] in ("float_type", "int_type") and _is_number(value):
        return f"{path} = {value!r} is text to YAML; write {_yaml_number(value)}"
    return f"{path} = {value!r:.60}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _path(location: tuple[Any, ...]) -> str:
    """Dotted path of a location; tags of unions are no keys and are left out."""
    tags = [i for i, part in enumerate(location) if i and location[i - 1 : i] in _TAGGED]
    return ".".join(str(part) for i, part in enumerate(location) if i not in tags)


def _advice(location: tuple[Any, ...], root: type[BaseModel]) -> str:
    """Names that could have been meant; a location alternates keys, list places and union tags."""
    kinds: list[Any] = [root]
    prefix = ""
    for part in location[:-1]:
        fields = {k: v for kind in kinds for k, v in kind.model_fields.items()}
        if part in fields:
            kinds = list(_sections(fields[part]))
            prefix += f"{part}."
        elif isinstance(part, int):
            prefix += f"{part}."
        elif tagged := [k for k in kinds if part in _tags(k)]:
            kinds = tagged
        else:  # a name that the user gave to a section
            prefix += f"{part}."
    known = [name for kind in kinds for name in kind.model_fields]
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"did you mean {prefix}{close[0]}?"
    return f"known here: {', '.join(prefix + name for name in known)}"


def _tags(kind: type[BaseModel]) -> tuple[Any, ...]:
    """Names by which a union tells this section from others."""
    fields = [kind.model_fields[name] for name in ("name", "rule") if name in kind.model_fields]
    return tuple(tag for field in fields for tag in get_args(field.annotation))


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
