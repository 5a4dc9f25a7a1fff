"""Surrogate derivatives in compiled code: the type of the settings says which.

The formulas are those of `pcmsim.config.surrogate`; `pcmsim.networks.surrogate` is the plain twin.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from numba.extending import overload

from pcmsim.config import Boxcar, FastSigmoid, MultiGaussian, Surrogate
from pcmsim.networks.kernels import exponential

_ROOT = math.sqrt(2.0 * math.pi)


class TanhSettings(NamedTuple):
    """One, and four times the height of the derivative of the hyperbolic tangent."""

    one: float
    four: float


class FastSigmoidSettings(NamedTuple):
    """One, and the slope of the fast sigmoid."""

    one: float
    scale: float


class BoxcarSettings(NamedTuple):
    """Half-width of the box, and its height inside and outside."""

    width: float
    height: float
    zero: float


class MultiGaussianSettings(NamedTuple):
    """Heights of the Gaussians, minus one half over their variances, and their distance."""

    centre: float
    side: float
    narrow: float
    wide: float
    shift: float


Settings = TanhSettings | FastSigmoidSettings | BoxcarSettings | MultiGaussianSettings


def settings_of(surrogate: Surrogate, number: Callable[[float], Any]) -> Settings:
    """Return what the kernels need of `surrogate`; `number` makes numbers of their precision."""
    if isinstance(surrogate, FastSigmoid):
        return FastSigmoidSettings(number(1.0), number(surrogate.scale))
    if isinstance(surrogate, Boxcar):
        return BoxcarSettings(number(surrogate.width), number(0.5 / surrogate.width), number(0.0))
    if isinstance(surrogate, MultiGaussian):
        width, wide = surrogate.width, surrogate.spread * surrogate.width
        centre = surrogate.scale * (1.0 + surrogate.height) / (_ROOT * width)
        side = -surrogate.scale * surrogate.height / (_ROOT * wide)
        values = (centre, side, -0.5 / width**2, -0.5 / wide**2, width)
        return MultiGaussianSettings(*(number(value) for value in values))
    return TanhSettings(number(1.0), number(4.0))


def derivative(z: float, settings: Settings) -> float:
    """Return the surrogate derivative at `z`, in compiled code only."""
    raise NotImplementedError


def _tanh(z: Any, settings: Any) -> Any:
    e = exponential(-abs(z) - abs(z))
    return settings.four * e / ((settings.one + e) * (settings.one + e))


def _fast_sigmoid(z: Any, settings: Any) -> Any:
    d = settings.one + settings.scale * abs(z)
    return settings.one / (d * d)


def _boxcar(z: Any, settings: Any) -> Any:
    return settings.height if abs(z) <= settings.width else settings.zero


def _multi_gaussian(z: Any, settings: Any) -> Any:
    a, b = z - settings.shift, z + settings.shift
    sides = exponential(settings.wide * a * a) + exponential(settings.wide * b * b)
    return settings.centre * exponential(settings.narrow * z * z) + settings.side * sides


_CODE = {
    TanhSettings: _tanh,
    FastSigmoidSettings: _fast_sigmoid,
    BoxcarSettings: _boxcar,
    MultiGaussianSettings: _multi_gaussian,
}


@overload(derivative)
def _derivative_for(z: Any, settings: Any) -> Callable[[Any, Any], Any]:
    return _CODE[settings.instance_class]
