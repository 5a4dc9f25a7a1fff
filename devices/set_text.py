"""Parameter sets as the text of their file."""

from typing import Any

import yaml

from pcmsim.devices.params import ParameterSet


def parameter_set_text(parameter_set: ParameterSet) -> str:
    """YAML of a parameter set, which `load_parameter_set` reads back as it was.

    >>> from pcmsim.devices import load_parameter_set
    >>> parameter_set_text(load_parameter_set("ideal")).splitlines()[0]
    'name: ideal'
    """
    entries: dict[str, dict[str, Any]] = {}
    for name, entry in parameter_set.entries.items():
        entries[name] = {"value": entry.value, "unit": entry.unit, "source": entry.source}
        if entry.stderr is not None:
            entries[name]["stderr"] = entry.stderr
    whole = {
        "name": parameter_set.name,
        "title": parameter_set.title,
        "source": parameter_set.source,
        "entries": entries,
    }
    text: str = yaml.safe_dump(
        whole, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None
    )
    return text
