"""The laws of a parameter set as numbers and as lines of text."""

import numpy as np

from pcmsim.devices import ParameterSet, Values, drifted, placement_std
from pcmsim.devices.noise import noise_amplitude
from pcmsim.units import DAY_S

CURVE_COLUMNS = (
    "G [uS]", "std programmed [uS]", "mean ν", "std ν", "noise Q", "G after 1 d [uS]"
)  # fmt: skip
LEVELS = 11
_BLOCKS = "▁▂▃▄▅▆▇█"


def curves(parameter_set: ParameterSet, levels: int = LEVELS) -> list[tuple[float, ...]]:
    """Rows of `CURVE_COLUMNS` at evenly spaced targets from 4 % of g_max to g_max.

    >>> from pcmsim.devices import load_parameter_set
    >>> [round(x, 4) for x in curves(load_parameter_set("pcm-gst-90nm"))[-1]]
    [25.0, 1.0554, 0.049, 0.008, 0.0088, 16.5881]
    """
    values = parameter_set.values
    g = values.g_max * np.linspace(0.04, 1.0, levels)
    nu = values.nu_mean(g / values.g_max) * values.projection
    columns = (
        g,
        placement_std(values, g),
        nu,
        values.nu_std(g / values.g_max) * values.projection,
        noise_amplitude(values, g),
        _after_a_day(values, g, nu),
    )
    return [tuple(float(x) for x in row) for row in zip(*columns, strict=True)]


def _after_a_day(values: Values, g: np.ndarray, nu: np.ndarray) -> np.ndarray:
    """Conductance [µS] of the device of mean exponent, or of median relaxation."""
    if values.relaxation is not None:
        return values.relaxation.relaxed(g, values.g_max, DAY_S, np.zeros(g.size))
    return drifted(g, nu, DAY_S + values.t0_s, values.t0_s)


def sparklines(parameter_set: ParameterSet, width: int = 60) -> list[str]:
    """One line of text per law: its shape between 4 % of g_max and g_max, with its range."""
    table = np.array(curves(parameter_set, width))
    return [
        f"{name:>20} {_line(column)} {column.min():.3g} ... {column.max():.3g}"
        for name, column in zip(CURVE_COLUMNS[1:5], table.T[1:5], strict=True)
    ]


def _line(column: np.ndarray) -> str:
    span = float(np.ptp(column)) or 1.0
    steps = ((column - column.min()) / span * (len(_BLOCKS) - 1)).round().astype(int)
    return "".join(_BLOCKS[step] for step in steps)
