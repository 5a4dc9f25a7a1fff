"""Device sets of which some parameters are multiplied by factors."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcmsim.devices import ParameterSet, Values, scaled
from pcmsim.errors import UsageError

LAWS = ("programming_std", "nu_mean", "nu_std", "read_noise")
NUMBERS = (
    *("g_max", "reset_median", "reset_log_std", "nu_device_share", "projection"),
    *("stuck_set_mean", "stuck_set_std", "stuck_set_nu"),
    *("set_device_std", "set_nu_mean", "set_nu_std"),
)
FAULTS = "faults"
PARAMETERS = (*LAWS, *NUMBERS, FAULTS)
_PROBABILITIES = ("p_stuck_reset", "p_stuck_set", "p_untunable")


def varied(parameter_set: ParameterSet, factors: Mapping[str, float]) -> ParameterSet:
    """A copy of the set with each named parameter multiplied by its factor.

    A law is scaled as a whole, its clips included; `faults` are the probabilities of all three
    kinds of fault together; `g_max` takes the spread of programming along, which a set gives in
    units of it, and leaves the conductance of RESET behind. Settings such as t0, the rates of the
    noise and exponents of spectra are no parameters of a device and have no factor.

    Raises `UsageError` for other names, factors that are not finite and above zero, entries that
    the set does not have, or values that are not allowed, such as a probability above one.

    >>> from pcmsim.devices import load_parameter_set
    >>> varied(load_parameter_set("pcm-gst-90nm"), {"faults": 2.0}).values.p_stuck_reset
    0.01
    """
    changed: dict[str, Any] = {}
    for name, factor in factors.items():
        if name not in PARAMETERS:
            raise UsageError(
                f"{name!r} is no parameter that can be varied; known: {', '.join(PARAMETERS)}"
            )
        if not (math.isfinite(factor) and factor > 0.0):
            raise UsageError(f"factor on {name} = {factor:g}; it must be finite and above 0")
        changed |= _changed(parameter_set, name, factor)
    return parameter_set.with_values(**changed)


def _changed(parameter_set: ParameterSet, name: str, factor: float) -> dict[str, Any]:
    values: Values = parameter_set.values
    if name == FAULTS:
        return {p: getattr(values, p) * factor for p in _PROBABILITIES}
    value = getattr(values, name)
    if value is None:
        raise UsageError(f"parameter set {parameter_set.name} has no {name} to vary")
    return {name: scaled(value, factor) if name in LAWS else value * factor}


@dataclass(frozen=True)
class WithVariants(Mapping[str, ParameterSet]):
    """Device sets by name, and variants "~0000", "~0001", ... of `base`, made when asked for.

    Row i of `factors` (variants, parameters) belongs to variant i. No name that a configuration
    may give begins with "~".
    """

    sets: Mapping[str, ParameterSet]
    base: ParameterSet
    parameters: tuple[str, ...]
    factors: NDArray[np.float64]

    def __getitem__(self, name: str) -> ParameterSet:
        """The set or the variant; raises `KeyError` for a name that is none."""
        if not name.startswith("~"):
            return self.sets[name]
        if not (name[1:].isdecimal() and number_of(name) < len(self.factors)):
            raise KeyError(name)
        row = self.factors[number_of(name)].tolist()
        return varied(self.base, dict(zip(self.parameters, row, strict=True)))

    def __iter__(self) -> Iterator[str]:
        """Names of sets, then of variants."""
        yield from self.sets
        yield from map(name_of, range(len(self.factors)))

    def __len__(self) -> int:
        """How many sets and variants there are."""
        return len(self.sets) + len(self.factors)


def name_of(number: int) -> str:
    """Name of variant `number`.

    >>> name_of(17), number_of("~0017")
    ('~0017', 17)
    """
    return f"~{number:04d}"


def number_of(name: str) -> int:
    """Number of the variant `name`."""
    return int(name[1:])
