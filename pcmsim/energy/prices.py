"""Published energies of operations, each with its unit and source."""

from collections.abc import Mapping
from functools import cache
from importlib import resources

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as checked

from pcmsim.yamltext import load_yaml

FILE = "published.yaml"
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@checked(frozen=True, config=_STRICT)
class Figure:
    """One published number."""

    value: float
    unit: str
    source: str


@checked(frozen=True, config=_STRICT)
class Pair:
    """Energy of a multiply-accumulate and of an accumulate in one arithmetic [pJ]."""

    title: str
    mac_pj: Figure
    ac_pj: Figure


@checked(frozen=True, config=_STRICT)
class Arrays:
    """What arrays of devices take: of a read, of a column's output, of programming a device."""

    read_voltage_v: Figure
    read_s: Figure
    column_pj: Figure
    program_pj: Figure


@checked(frozen=True, config=_STRICT)
class Prices:
    """Pairs by name, and figures of arrays."""

    pairs: Mapping[str, Pair]
    arrays: Arrays


@cache
def load_prices() -> Prices:
    """Figures that ship with pcmsim.

    >>> load_prices().pairs["float32"].ac_pj.value
    0.9
    """
    text = (resources.files("pcmsim.energy") / FILE).read_text(encoding="utf-8")
    return TypeAdapter(Prices).validate_python(load_yaml(text, FILE))
