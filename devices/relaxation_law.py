"""The law of conductances that relax instead of drifting, as parameter sets are written in.

Cells of resistive memory do not follow a power law. What they change by is heavy-tailed and skewed,
and its spread grows with the logarithm of time. The change is described by a Johnson S_U variable
(Johnson 1949, doi:10.1093/biomet/36.1-2.149) whose shape depends on conductance and time.
"""

from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from pcmsim.devices.laws import FloatArray, Number

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_Positive = Annotated[float, Field(gt=0.0, le=1e12, strict=True)]
_Coefficients = Annotated[tuple[Number, ...], Field(min_length=1, max_length=8)]
_Share = Annotated[float, Field(ge=0.0, le=1.0, strict=True)]


@checked(frozen=True, config=_STRICT)
class Relaxation:
    """Change of the conductance with the time t since it was programmed, given z ~ N(0, 1).

    With u = G0/g_max, l(t) = ln(1 + t/onset_s) / ln(1 + 1 s/onset_s) and polynomials of u:

        y(t) = y(0) + cap asinh(s / cap)       s    = λ sinh((z - γ) / δ)
        y = floor ln(exp(G/floor) - 1)         ln λ = scale(u) + growth(u) ln l
                                               ln δ = tail(u) + tail_growth(u) ln l
                                               γ    = skew(u) + skew_growth(u) ln l

    λ is in µS. Changes beyond `cap_us` grow like a logarithm only. y is the conductance itself far
    above `floor_us` and keeps it above zero below.
    Two times t1 < t2 of one device share their z with the correlation
    persistence ln(1 + t1/memory_s) / ln(1 + t2/memory_s).
    """

    onset_s: _Positive
    floor_us: _Positive
    cap_us: _Positive
    scale: _Coefficients
    growth: _Coefficients
    tail: _Coefficients
    tail_growth: _Coefficients
    skew: _Coefficients
    skew_growth: _Coefficients
    persistence: _Share
    memory_s: _Positive

    def shape(self, u: FloatArray, t_s: float | FloatArray) -> tuple[FloatArray, ...]:
        """(ln λ, ln δ, γ) at the relative conductance `u` and the time `t_s` > 0 [s]."""
        log = log_growth(t_s, self.onset_s)
        pairs = (
            (self.scale, self.growth),
            (self.tail, self.tail_growth),
            (self.skew, self.skew_growth),
        )
        # Polynomials say nothing beyond the conductances they were fitted to.
        u = np.clip(u, 0.0, 1.0)
        return tuple(_at(u, level) + _at(u, growth) * log for level, growth in pairs)

    def relaxed(
        self, g: FloatArray, g_max: float, t_s: float | FloatArray, z: FloatArray
    ) -> FloatArray:
        """Conductance [µS] that `g` [µS] has become after `t_s` [s], for the deviate `z`.

        Shapes alike, or `t_s` one number; float64 inside, the type of `g` outside.

        >>> law = Relaxation(0.1, 1.0, 1e3, (-1.0,), (0.5,), (0.3,), (0,), (0,), (0,), 0.8, 1e-3)
        >>> law.relaxed(np.array([10.0]), 25.0, 1e5, np.array([[-1.0], [0.0], [1.0]])).round(2)
        array([[ 9.28],
               [10.  ],
               [10.72]])
        """
        wide = np.asarray(g, dtype=np.float64)
        log_scale, log_tail, skew = self.shape(wide / g_max, np.maximum(t_s, 1e-12))
        change = np.exp(log_scale) * np.sinh((z - skew) * np.exp(-log_tail))
        change = self.cap_us * np.arcsinh(change / self.cap_us)
        later = lifted(floored(wide, self.floor_us) + change, self.floor_us)
        now = np.broadcast_to(np.asarray(t_s) > 0.0, later.shape)
        return np.asarray(np.where(now, later, wide), dtype=np.asarray(g).dtype)


def log_growth(t_s: float | FloatArray, onset_s: float) -> FloatArray:
    """ln l(t), with l(t) = ln(1 + t/onset) / ln(1 + 1 s/onset), for `t_s` above zero [s].

    >>> float(log_growth(1.0, 0.2))
    0.0
    """
    return np.asarray(np.log(np.log1p(np.asarray(t_s) / onset_s) / np.log1p(1.0 / onset_s)))


def floored(g: FloatArray, floor_us: float) -> FloatArray:
    """y = f ln(exp(G/f) - 1), which is G far above f and falls like a logarithm towards zero [µS].

    Below f/1000 it stays, or a device at zero could never leave it.
    """
    g = np.maximum(g, 1e-3 * floor_us)
    return np.asarray(g + floor_us * np.log(-np.expm1(-g / floor_us)))


def lifted(y: FloatArray, floor_us: float) -> FloatArray:
    """G = f ln(1 + exp(y/f)), the inverse of `floored` [µS].

    >>> lifted(floored(np.array([0.1, 40.0]), 4.0), 4.0).round(6)
    array([ 0.1, 40. ])
    """
    return np.asarray(floor_us * np.logaddexp(0.0, y / floor_us))


def _at(u: FloatArray, coefficients: tuple[float, ...]) -> FloatArray:
    return np.asarray(np.polynomial.polynomial.polyval(u, np.asarray(coefficients)))
