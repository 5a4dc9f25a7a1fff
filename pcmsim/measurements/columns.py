"""The column map: what the columns of a lab's table mean, in which units."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from pcmsim.config.base import NotNegative, Positive, Section
from pcmsim.config.explaining import explain, parse
from pcmsim.errors import UsageError

TIMES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0}
CONDUCTANCES = {"S": 1e6, "mS": 1e3, "uS": 1.0, "nS": 1e-3}
RESISTANCES = {"ohm": 1e6, "kohm": 1e3, "Mohm": 1.0, "Gohm": 1e-3}
CURRENTS = {"A": 1e6, "mA": 1e3, "uA": 1.0, "nA": 1e-3}
VOLTAGES = {"V": 1.0, "mV": 1e-3}
COUNTS = "counts"
# What each quantity may be given in; the rest are plain numbers.
_CONDUCTANCE = (*CONDUCTANCES, *RESISTANCES, *CURRENTS, COUNTS)
UNITS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("t_s", "read_after_s", "interval_s", "verify_after_s"), tuple(TIMES)),
    **dict.fromkeys(("g", "g_min", "g_max", "g_target", "g_verify"), _CONDUCTANCE),
    "tolerance": tuple(CONDUCTANCES),
    "amplitude": (*CURRENTS, *VOLTAGES),
}
Finite = Annotated[float, Field(allow_inf_nan=False)]
Listed = Annotated[tuple[Finite, ...], Field(strict=False, min_length=1, max_length=4096)]
Place = Annotated[int, Field(ge=0, le=4095)]


class Column(Section):
    """Where a quantity stands, by name or number (from 0), or its `value` for all rows or traces.

    A number x is read as scale (x - offset) in `unit`: `offset` is what the column shows for zero.
    `read_v` turns a current into a conductance, `gain_us` counts of a converter. `table` says what
    words mean, in `unit`, instead of numbers. `restarts` counts the turns of a device by its rows:
    a new one begins where time, pulse or amplitude falls.
    """

    name: str | None = None
    number: Place | None = None
    value: Finite | str | Listed | None = None
    unit: str | None = None
    scale: Finite = 1.0
    offset: Finite = 0.0
    read_v: Positive | None = None
    gain_us: Positive | None = None
    table: dict[str, Finite] | None = None
    restarts: bool = False

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.places() > 1:
            raise ValueError("give one of name, number and value")
        if self.scale == 0.0:
            raise ValueError("scale must not be 0")
        return self

    def places(self) -> int:
        """How many ways there are to find the quantity; one is right."""
        given = (self.name, self.number, self.value)
        return sum(way is not None for way in given) + int(self.restarts)


class Columns(Section):
    """The quantities of all kinds; `docs/measurement-format.md` says which kind needs which."""

    device: Column | None = None
    programming: Column | None = None
    cycle: Column | None = None
    sweep: Column | None = None
    pulse: Column | None = None
    row: Column | None = None
    column: Column | None = None
    g_target: Column | None = None
    converged: Column | None = None
    state: Column | None = None
    t_s: Column | None = None
    read_after_s: Column | None = None
    interval_s: Column | None = None
    amplitude: Column | None = None
    g: Column | None = None
    g_min: Column | None = None
    g_max: Column | None = None
    iterations: Column | None = None
    tolerance: Column | None = None
    verify_after_s: Column | None = None
    g_verify: Column | None = None


class Traces(Section):
    """Columns of a wide table that are traces: from `first` to `last`, or all that have no role.

    `each` is what one of them is: a device, or a turn of one device.
    """

    first: Place | None = None
    last: Place | None = None
    each: Literal["device", "programming", "cycle", "sweep"] = "device"


class InstrumentMap(Section):
    """How the reads were taken, as in a measurement file."""

    t_read_s: Positive
    g_step: NotNegative = 0.0
    g_noise_std: NotNegative = 0.0
    read_voltage_v: Positive | None = None
    temperature_k: Positive | None = None
    chip: str = ""
    name: str = ""


class ColumnMap(Section):
    """How to read one kind of table."""

    kind: Literal[
        "drift", "relaxation", "set_drift", "reads", "staircase", "curve", "yields", "levels"
    ]
    layout: Literal["long", "wide"] = "long"
    separator: Literal["comma", "semicolon", "tab", "space", "pipe"] | None = None
    decimal: Literal["point", "comma"] = "point"
    encoding: Literal["utf-8", "latin-1", "utf-16"] = "utf-8"
    comment: Annotated[str, Field(min_length=1, max_length=8)] = "#"
    skip: Annotated[int, Field(ge=0, le=100_000)] = 0
    header: bool = True
    units_row: bool = False
    sheet: str | None = None
    missing: Annotated[tuple[str, ...], Field(strict=False)] = ()
    traces: Traces = Traces()
    instrument: InstrumentMap
    columns: Columns

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for quantity, column in self.given().items():
            _check_units(quantity, column)
            where = f"columns.{quantity}"
            if (column.places() == 0) != (quantity == "g" and self.layout == "wide"):
                raise ValueError(
                    f"{where} needs one of name, number and value; g of layout: wide none, its "
                    f"columns are the traces"
                )
            if column.restarts and quantity not in ("programming", "cycle", "sweep"):
                raise ValueError(f"{where} has no restarts; programming, cycle and sweep have")
            if column.name is not None and not self.header:
                raise ValueError(f"{where} has a name, but header: false; use number")
        return self

    def given(self) -> dict[str, Column]:
        """The columns that the map names."""
        fields = ((name, getattr(self.columns, name)) for name in Columns.model_fields)
        return {name: column for name, column in fields if column is not None}


def plain_unit(unit: str) -> str:
    """A unit in letters of the keyboard.

    >>> plain_unit("kΩ"), plain_unit("µS")
    ('kohm', 'uS')
    """
    for sign, letters in (("µ", "u"), ("μ", "u"), ("Ω", "ohm"), ("Ω", "ohm"), ("Ohm", "ohm")):
        unit = unit.replace(sign, letters)
    return unit.strip()


def _check_units(quantity: str, column: Column) -> None:
    unit, allowed = plain_unit(column.unit or ""), UNITS.get(quantity, ())
    where = f"columns.{quantity}"
    if unit and unit not in allowed:
        known = f"known: {', '.join(allowed)}" if allowed else "it is a plain number"
        raise ValueError(f"{where}.unit = {column.unit!r:.20}; {known}")
    if unit in CURRENTS and quantity.startswith("g") and column.read_v is None:
        raise ValueError(f"{where}: a current is a conductance with read_v, the read voltage alone")
    if unit == COUNTS and column.gain_us is None:
        raise ValueError(f"{where}: counts are a conductance with gain_us, uS per count, alone")


def load_columns(path: Path) -> ColumnMap:
    """Read a column map; raises `UsageError` that names the dotted path of what is wrong."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"column map {path} cannot be read: {error}") from None
    return build_columns(parse(text, str(path)), str(path))


def build_columns(values: dict[str, Any], source: str = "column map") -> ColumnMap:
    """Check a nested dictionary and freeze it; raises `UsageError` on the first fault.

    >>> build_columns({"kind": "drift", "instrument": {"t_read_s": 1.0e-6},
    ...                "columns": {"devise": {"name": "addr"}}})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    pcmsim.errors.UsageError: ...did you mean columns.device?
    """
    try:
        return ColumnMap.model_validate(values)
    except ValidationError as error:
        faults = error.errors()
        misspelt = [fault for fault in faults if fault["type"] == "extra_forbidden"]
        fault = (misspelt or faults)[0]
        if fault["type"] == "value_error":
            path = ".".join(str(part) for part in fault["loc"])
            reason = str(fault["ctx"]["error"])
            raise UsageError(f"{source}: {path + ': ' if path else ''}{reason}") from None
        raise UsageError(f"{source}: {explain(fault, ColumnMap)}") from None
