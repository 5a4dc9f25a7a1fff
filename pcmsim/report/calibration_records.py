"""What a page about a calibration shows: sections of figures and tables, plain numbers and texts.

Whoever has fitted something turns it into these records; a new effect is a new `Section`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Measured:
    """A value with its standard error, for a cell of a table."""

    value: float
    stderr: float


Cell = str | float | int | None | Measured | Mapping[str, Any]


@dataclass(frozen=True)
class Axis:
    """What an axis of a panel shows.

    label           quantity, with its unit in brackets
    scale           "time" is a logarithmic axis with ticks at minutes, hours and days; "zero" is a
                    logarithmic one on which zero has a place
    ticks           places and names of ticks, if they are not to be found
    """

    label: str
    scale: Literal["linear", "log", "time", "zero"] = "linear"
    ticks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Series:
    """Points or a line of a panel; series of the same name look the same in a whole figure.

    kind            "data" are points, "fit" is a line, "other" a dashed line, "guide" a thin one
    x, y            (n,)
    stderr          standard errors of y, drawn as bars of 1.96 of them (n,)
    low, high       band around y (n,)
    """

    name: str
    kind: Literal["data", "fit", "other", "guide"]
    x: FloatArray
    y: FloatArray
    stderr: FloatArray | None = None
    low: FloatArray | None = None
    high: FloatArray | None = None


@dataclass(frozen=True)
class Panel:
    """One pair of axes with what is drawn in it."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Figure:
    """Panels side by side with one key.

    same_y          whether all panels have the same vertical axis
    folded          whether it is shown on demand
    """

    title: str
    caption: str
    panels: tuple[Panel, ...]
    same_y: bool = False
    folded: bool = False


@dataclass(frozen=True)
class Map:
    """A number for each row and column, with colours that saturate at ±`limit`.

    rows, columns   what stands beside and above the numbers
    values          (rows, columns), NaN where there is none
    digits          behind the decimal point
    """

    title: str
    caption: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: FloatArray
    limit: float
    digits: int = 1
    folded: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells below the head; a number that is not finite is shown as unknown."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """One effect: what was found, in words, figures and tables."""

    title: str
    text: str
    figures: tuple[Figure | Map, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class KeyNumber:
    """A number at the top of the page, with words above and below it."""

    title: str
    value: Cell
    note: str


@dataclass(frozen=True)
class CalibrationReport:
    """All of a page.

    faults          why the set is refused; empty if it is not
    no_set          whether it is refused because the data can be no set at all
    numbers         what `calibration.json` holds besides the sections
    """

    name: str
    title: str
    key_numbers: tuple[KeyNumber, ...]
    faults: tuple[str, ...]
    sections: tuple[Section, ...]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    no_set: bool = False
