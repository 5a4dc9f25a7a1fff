"""The measurement file: which groups and variables it has, with dimensions, units and meaning."""

from dataclasses import dataclass, field

from pcmsim.calibration.records import (
    DriftTraces,
    ProgrammedLevels,
    ProgrammingCurve,
    RepeatedReads,
    SetStaircases,
    YieldMap,
)

FORMAT = "pcmsim-measurements"
VERSION = 1


@dataclass(frozen=True)
class Variable:
    """One array: its dimensions, unit, meaning, and whether it holds whole numbers."""

    dimensions: tuple[str, ...]
    units: str
    long_name: str
    whole: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of measurement: its record, its variables, and its single numbers with units."""

    record: type
    variables: dict[str, Variable]
    numbers: dict[str, str] = field(default_factory=dict)


_DEVICE = Variable(("row",), "1", "number of the device", whole=True)
_TARGET = Variable(("row",), "uS", "conductance the device was programmed to, 0 for RESET")
_DRIFT = Kind(
    DriftTraces,
    {
        "device": _DEVICE,
        "programming": Variable(("row",), "1", "programmings of the device before", whole=True),
        "g_target": _TARGET,
        "converged": Variable(("row",), "1", "whether programming converged, 0 or 1", whole=True),
        "t_s": Variable(("t_s",), "s", "time since the last pulse"),
        "g": Variable(("row", "t_s"), "uS", "conductance, NaN where the sample is missing"),
    },
)
KINDS = {
    "drift": _DRIFT,
    "reads": Kind(
        RepeatedReads,
        {
            "device": _DEVICE,
            "g_target": _TARGET,
            "t_s": Variable(("row",), "s", "time since the last pulse at the first read"),
            "g": Variable(("row", "read"), "uS", "conductance, NaN where the sample is missing"),
        },
        {"interval_s": "s"},
    ),
    "set_drift": _DRIFT,
    "staircase": Kind(
        SetStaircases,
        {
            "device": _DEVICE,
            "cycle": Variable(("row",), "1", "staircases of the device before", whole=True),
            "read_after_s": Variable(("read_after_s",), "s", "time from a pulse to the read"),
            "g": Variable(
                ("row", "pulse", "read_after_s"),
                "uS",
                "conductance, NaN where the sample is missing; pulse 0 is RESET",
            ),
        },
        {"interval_s": "s"},
    ),
    "curve": Kind(
        ProgrammingCurve,
        {
            "device": _DEVICE,
            "sweep": Variable(("row",), "1", "sweeps of the device before", whole=True),
            "amplitude": Variable(("amplitude",), "uA", "current of the melting pulse"),
            "g": Variable(("row", "amplitude"), "uS", "conductance after the pulse"),
        },
        {"t_s": "s"},
    ),
    "levels": Kind(
        ProgrammedLevels,
        {
            "device": _DEVICE,
            "g_target": _TARGET,
            "iterations": Variable(("row",), "1", "pulses, each with a verify read", whole=True),
            "converged": Variable(
                ("row",), "1", "whether the last verify read was accepted, 0 or 1", whole=True
            ),
            "g_verify": Variable(("row",), "uS", "last verify read"),
            "read_after_s": Variable(("read_after_s",), "s", "time since the last pulse"),
            "g": Variable(
                ("row", "read_after_s"), "uS", "conductance, NaN where the sample is missing"
            ),
        },
        {"tolerance": "uS", "verify_after_s": "s"},
    ),
    "yields": Kind(
        YieldMap,
        {
            "device": Variable(("site",), "1", "number of the device", whole=True),
            "row": Variable(("site",), "1", "row of the device", whole=True),
            "column": Variable(("site",), "1", "column of the device", whole=True),
            "g_min": Variable(("site",), "uS", "conductance after RESET"),
            "g_max": Variable(("site",), "uS", "conductance after the strongest SET"),
            "state": Variable(
                ("site",),
                "1",
                "verdict: -1 none, 0 working, 1 stuck RESET, 2 stuck SET, 3 not tunable",
                whole=True,
            ),
        },
    ),
}
# What the root says about the instrument: attribute, unit, whether it has to be there.
INSTRUMENT = {
    "t_read_s": ("s", True),
    "g_step": ("uS", False),
    "g_noise_std": ("uS", False),
    "read_voltage_v": ("V", False),
    "temperature_k": ("K", False),
}
INSTRUMENT_TEXT = ("chip", "name")
