"""Laws of the conductance that parameter sets are written in.

A law is a frozen value with coefficients and no code of its own device: it maps the relative
conductance g = G/g_max to one quantity.
"""

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

FloatArray = NDArray[Any]
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
Number = Annotated[float, Field(strict=True)]
# Below this the logarithm stops; ln(0) would otherwise reach the clips through -inf.
_SMALLEST = 1e-7


@checked(frozen=True, config=_STRICT)
class Constant:
    """The same value for every conductance."""

    constant: Number

    def __call__(self, g: FloatArray) -> FloatArray:
        """Value at relative conductance `g`."""
        return np.full_like(g, self.constant)


@checked(frozen=True, config=_STRICT)
class Polynomial:
    """sum_k c_k g^k, coefficients in ascending order."""

    polynomial: Annotated[tuple[Number, ...], Field(min_length=1)]

    def __call__(self, g: FloatArray) -> FloatArray:
        """Value at relative conductance `g`."""
        coefficients = np.asarray(self.polynomial, dtype=g.dtype)
        return np.asarray(np.polynomial.polynomial.polyval(g, coefficients))


@checked(frozen=True, config=_STRICT)
class ClippedLog:
    """clip(slope ln g + intercept, low, high)."""

    slope: Number
    intercept: Number
    low: Number
    high: Number

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low must not exceed high")

    def __call__(self, g: FloatArray) -> FloatArray:
        """Value at relative conductance `g`."""
        value = self.slope * np.log(np.maximum(g, _SMALLEST)) + self.intercept
        return np.clip(value, self.low, self.high)


@checked(frozen=True, config=_STRICT)
class ClippedPower:
    """min(coefficient g^exponent, high), for a falling power."""

    coefficient: Number
    exponent: Number
    high: Number

    def __call__(self, g: FloatArray) -> FloatArray:
        """Value at relative conductance `g`."""
        value = self.coefficient * np.maximum(g, _SMALLEST) ** self.exponent
        return np.minimum(value, self.high)


@checked(frozen=True, config=_STRICT)
class Reciprocal:
    """1 / (a + b g)."""

    a: Number
    b: Number

    def __call__(self, g: FloatArray) -> FloatArray:
        """Value at relative conductance `g`."""
        return 1.0 / (self.a + self.b * g)


@checked(frozen=True, config=_STRICT)
class Table:
    """Straight lines through (x, y), constant outside."""

    x: tuple[Number, ...]
    y: tuple[Number, ...]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or len(self.x) < 2 or np.any(np.diff(self.x) <= 0):
            raise ValueError("a table needs two or more x, strictly increasing, and as many y")

    def __call__(self, g: FloatArray) -> FloatArray:
        """Value at relative conductance `g`."""
        return np.interp(g, self.x, self.y).astype(g.dtype)


Simple = Constant | Polynomial | ClippedLog | ClippedPower | Reciprocal | Table


@checked(frozen=True, config=_STRICT)
class Split:
    """One law below the relative conductance `threshold`, another from it on."""

    threshold: Number
    below: Simple
    above: Simple

    def __call__(self, g: FloatArray) -> FloatArray:
        """Value at relative conductance `g`."""
        return np.where(g < self.threshold, self.below(g), self.above(g)).astype(g.dtype)


Law = Simple | Split


def scaled(law: Law, factor: float) -> Law:
    """The law g -> `factor` f(g), clips included, in the same family; `factor` > 0.

    >>> scaled(ClippedLog(slope=-1.0, intercept=0.5, low=0.7, high=4.0), 2.0)
    ClippedLog(slope=-2.0, intercept=1.0, low=1.4, high=8.0)
    """
    if isinstance(law, Split):
        below, above = _scaled(law.below, factor), _scaled(law.above, factor)
        return Split(threshold=law.threshold, below=below, above=above)
    return _scaled(law, factor)


def _scaled(law: Simple, factor: float) -> Simple:
    match law:
        case Constant():
            return replace(law, constant=law.constant * factor)
        case Polynomial():
            return replace(law, polynomial=tuple(c * factor for c in law.polynomial))
        case ClippedLog():
            slope, intercept = law.slope * factor, law.intercept * factor
            return ClippedLog(slope, intercept, law.low * factor, law.high * factor)
        case ClippedPower():
            return ClippedPower(law.coefficient * factor, law.exponent, law.high * factor)
        case Reciprocal():
            return Reciprocal(law.a / factor, law.b / factor)
        case Table():
            return replace(law, y=tuple(y * factor for y in law.y))
