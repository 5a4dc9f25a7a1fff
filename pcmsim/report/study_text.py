"""Energies, intervals and temperatures of a study in words."""

from collections.abc import Mapping
from typing import Any

from scipy.stats import chi2

from pcmsim.report.study_records import Difference

_UNITS = ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ"), (1.0, "pJ"))
UNKNOWN = "–"


def energy_text(energy_pj: float | None) -> str:
    """Write an energy in the largest unit that keeps it at or above one.

    >>> energy_text(0.0), energy_text(2773848.0), energy_text(1e15), energy_text(0.05)
    ('0', '2.77 µJ', '1000 J', '0.05 pJ')
    """
    if energy_pj is None:
        return UNKNOWN
    for size, name in _UNITS:
        if energy_pj >= size:
            return f"{energy_pj / size:.{4 if energy_pj >= 1e15 else 3}g} {name}"
    return f"{energy_pj:.3g} pJ" if energy_pj else "0"


def interval(mean: float | None, half_width: float | None) -> str:
    """Write a loss with half of its interval.

    >>> interval(8.9034, 0.0123), interval(8.9034, None), interval(None, None)
    ('8.903 ± 0.012', '8.903', '–')
    """
    if mean is None:
        return UNKNOWN
    return f"{mean:.3f}" if half_width is None else f"{mean:.3f} ± {half_width:.3f}"


def difference(found: Difference | None) -> str:
    """Write a difference with its sign.

    >>> difference(Difference(-1.0261, 0.0652, 4)), difference(None)
    ('−1.026 ± 0.065', '–')
    """
    if found is None or found.mean is None:
        return UNKNOWN
    signed = f"{found.mean:+.3f}".replace("-", "−")
    return signed if found.half_width is None else f"{signed} ± {found.half_width:.3f}"


def told_apart(found: Difference | None) -> bool | None:
    """Whether the interval of a difference leaves out zero; None if there is no interval.

    >>> told_apart(Difference(0.03, 0.02, 4)), told_apart(Difference(-0.01, 0.02, 4))
    (True, False)
    """
    if found is None or found.mean is None or found.half_width is None:
        return None
    return abs(found.mean) > found.half_width


def share(found: float | None) -> str:
    """Write a share in percent.

    >>> share(0.25), share(0.9996), share(None)
    ('25 %', '> 99 %', '–')
    """
    if found is None:
        return UNKNOWN
    if 0.99 < found < 1.0:
        return "> 99 %"
    return "< 1 %" if 0.0 < found < 0.01 else f"{100.0 * found:.0f} %"


def temperature(found: Any) -> str:
    """What a study says of a temperature; empty if it says nothing that can be read.

    >>> temperature({"celsius": 85.0, "csv": None}), temperature({"formula": "24+3*sin(t_s)"})
    ('85 °C', '24+3*sin(t_s) °C')
    """
    if not isinstance(found, Mapping):
        return ""
    match found.get("celsius"), found.get("formula"), found.get("csv"):
        case (int() | float()) as celsius, _, _:
            return f"{celsius:g} °C".replace("-", "−")
        case _, str() as formula, _:
            return f"{formula} °C"
        case _, _, str() as table:
            return f"table {table}"
    return ""


def chips_factor(chips: int) -> tuple[float, float]:
    """Factors within which a needed number of chips is known from the spread over `chips` chips.

    (n - 1) s²/σ² has a χ² distribution of n - 1 degrees of freedom if chips are normally
    distributed, and the number needed goes as σ²: 95 % interval.

    >>> [round(factor, 2) for factor in chips_factor(8)]
    [0.44, 4.14]
    """
    ends = chi2.ppf((0.975, 0.025), chips - 1)
    low, high = ((chips - 1) / end for end in ends)
    return float(low), float(high)
