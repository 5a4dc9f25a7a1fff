"""YAML as people expect it: no key twice, no hidden base 8 or 60, no dates."""

import re
from typing import Any

import yaml

from pcmsim.errors import UsageError


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with plain numbers only, and duplicate keys refused."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if not isinstance(key, str):
                raise UsageError(f"{key!r} (line {node.start_mark.line + 1}): keys are names")
            if keys.count(key) > 1:
                raise UsageError(f"{key} stands twice from line {node.start_mark.line + 1} on")
        result: dict[Any, Any] = super().construct_mapping(node, deep)
        return result


_NUMBERS = {
    "int": (re.compile(r"^[-+]?(0|[1-9][0-9]*)$"), "-+0123456789"),
    "float": (
        re.compile(r"^[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?$|^[-+]?\.(inf|nan)$", re.I),
        "-+.0123456789",
    ),
}
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, regexp)
        for tag, regexp in resolvers
        if tag.rsplit(":", 1)[-1] not in ("int", "float", "timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, (_pattern, _first) in _NUMBERS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, list(_first))


def load_yaml(text: str, source: str) -> Any:
    """Values in `text`; raises `UsageError` that names `source` and what is wrong.

    >>> load_yaml("a: 1.5e-3", "config")
    {'a': 0.0015}
    """
    try:
        return yaml.load(text, _Loader)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{source}: not valid YAML: {reason:.200}") from None
