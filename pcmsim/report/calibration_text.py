"""Cells of the tables of a calibration in words: a number is finite, or it is unknown."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pcmsim.report import text
from pcmsim.report.calibration_records import Cell, Measured

UNKNOWN = "unknown"


def shown(cell: Cell) -> str:
    """Write a cell of a table.

    >>> shown(0.0123456), shown(float("nan")), shown(44000), shown("drift"), shown(None)
    ('0.01235', 'unknown', '44,000', 'drift', 'unknown')
    >>> shown(-12046.6), shown(1e8)
    ('−12,047', '1e+08')
    >>> shown(Measured(0.0491473, 0.00031)), shown(Measured(2.0, float("nan")))
    ('0.04915 ± 0.00031', '2 ± unknown')
    """
    match cell:
        case None:
            return UNKNOWN
        case bool():
            return "yes" if cell else "no"
        case str():
            return cell
        case int():
            return f"{cell:,}".replace("-", "−")
        case Measured():
            return measured(cell.value, cell.stderr)
        case Mapping():
            return text.value(cell) if _finite(cell) else UNKNOWN
    return _number(cell)


def measured(value: float, stderr: float) -> str:
    """Write a value with its standard error, both to the second digit of the error.

    >>> measured(25.0312, 0.0471), measured(-1e-6, 20.0), measured(3.1e-7, 2e-8)
    ('25.031 ± 0.047', '0 ± 20', '3.10e-07 ± 2.0e-08')
    """
    if not math.isfinite(value):
        return UNKNOWN
    if not (math.isfinite(stderr) and stderr > 0.0):
        return f"{_number(value)} ± {_number(stderr)}"
    last = math.floor(math.log10(stderr)) - 1
    largest = max(abs(value), stderr)
    if 1e-4 <= largest < 1e6:
        digits = max(-last, 0)
        return f"{mapped(value, digits)} ± {stderr:.{digits}f}"
    digits = max(math.floor(math.log10(largest)) - last, 0)
    return f"{value:.{digits}e} ± {stderr:.1e}".replace("-", "−", 1 if value < 0.0 else 0)


def mapped(value: float, digits: int) -> str:
    """Write a number of a map with `digits` behind the point.

    >>> mapped(-1.26, 1), mapped(-0.01, 1), mapped(float("inf"), 1)
    ('−1.3', '0.0', 'unknown')
    """
    if not math.isfinite(value):
        return UNKNOWN
    # Without a sign before zero.
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def p_value(p: float) -> str:
    """Write a probability.

    >>> p_value(0.2345), p_value(2e-9), p_value(float("nan"))
    ('0.23', '< 0.001', 'unknown')
    """
    if not math.isfinite(p):
        return UNKNOWN
    if p > 0.99:
        return "> 0.99"
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def chi_square(square: float) -> str:
    """Write a χ².

    >>> chi_square(9.31), chi_square(56338687.3)
    ('9.3', '56,338,687')
    """
    return f"{square:.1f}" if square < 1000.0 else f"{square:,.0f}"


def plain(value: Any) -> Any:
    """What JSON can hold: arrays as lists, numbers that are not finite as null.

    >>> plain({"g": np.array([1.0, np.nan]), "n": np.int64(3)})
    {'g': [1.0, None], 'n': 3}
    """
    match value:
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case float():
            return value if math.isfinite(value) else None
        case str() | int() | None:
            return value
        case Sequence():
            return [plain(item) for item in value]
    return str(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return UNKNOWN
    written = f"{value:,.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"
    return written.replace("-", "−", 1) if value < 0.0 else written


def _finite(value: Any) -> bool:
    """Whether all numbers in a law are finite."""
    if isinstance(value, Mapping):
        return all(_finite(item) for item in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)
