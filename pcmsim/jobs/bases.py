"""Which set a calibrated one was based on."""

import re

from pcmsim.devices import ParameterSet, parameter_set_names

# As `pcmsim.calibration.calibrate` writes it into the sources of what was not measured.
_KEPT = re.compile(r"not measured, kept from ([^:]+): ")


def base_of(parameter_set: ParameterSet) -> str | None:
    """Name of the shipped set that entries were kept from; None if the sources name none, or two.

    >>> from pcmsim.devices import load_parameter_set
    >>> base_of(load_parameter_set("pcm-gst-90nm")) is None
    True
    """
    matches = (_KEPT.match(entry.source) for entry in parameter_set.entries.values())
    named = {match[1] for match in matches if match} & set(parameter_set_names())
    return named.pop() if len(named) == 1 else None
