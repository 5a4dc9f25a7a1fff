"""Likelihood of relaxing conductances: density of each later read given the first, with its score.

The model is the law of `pcmsim.devices.relaxation_law`. Every read after the first contributes the
density of a Johnson S_U variable; reads of one device at several times depend on each other, which
the sum leaves aside and the errors, clustered by device, do not (composite likelihood: Varin, Reid
and Firth, Statistica Sinica 21, 5, 2011).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_ndtr

from pcmsim.calibration.records import IntArray
from pcmsim.devices.laws import FloatArray
from pcmsim.devices.relaxation_law import Relaxation, floored, log_growth

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)
SCALES = ("onset", "floor", "cap")
BLOCKS = ("scale", "growth", "tail", "tail_growth", "skew", "skew_growth")


@dataclass(frozen=True)
class LaterReads:
    """Reads after the first, one after another, missing ones left out.

    row         row of the trace (m,), of n rows
    g_first, g  first read of that trace, and this one [µS] (m,)
    t_s         time since the first read [s] (m,)
    g_low       what is not above this has been cut off [µS]
    """

    row: IntArray
    g_first: FloatArray
    g: FloatArray
    t_s: FloatArray
    n: int
    g_low: float

    def where(self, mask: np.ndarray) -> "LaterReads":
        """Some of the reads; rows keep their numbers."""
        kept = {name: getattr(self, name)[mask] for name in ("row", "g_first", "g", "t_s")}
        return replace(self, **kept)


@dataclass(frozen=True)
class Form:
    """Which coefficients of the law are free: the degree of each polynomial of u, None for zero."""

    name: str
    scale: int
    growth: int
    tail: int | None
    tail_growth: int | None
    skew: int | None
    skew_growth: int | None

    def names(self) -> tuple[str, ...]:
        """Names of the free parameters, the order of θ."""
        found = [f"ln {scale}" for scale in SCALES]
        for block in BLOCKS:
            degree = getattr(self, block)
            found += [f"{block}[{k}]" for k in range(0 if degree is None else degree + 1)]
        return tuple(found)

    def blocks(self, theta: FloatArray) -> Iterator[tuple[str, FloatArray]]:
        """Each polynomial with its coefficients."""
        at = len(SCALES)
        for block in BLOCKS:
            degree = getattr(self, block)
            size = 0 if degree is None else degree + 1
            yield block, theta[at : at + size] if size else np.zeros(1)
            at += size

    def law(self, theta: FloatArray, persistence: float, memory_s: float) -> Relaxation:
        """The law with these parameters."""
        coefficients = {
            block: tuple(float(c) for c in values) for block, values in self.blocks(theta)
        }
        onset_s, floor_us, cap_us = (float(x) for x in np.exp(np.clip(theta[:3], -20.0, 20.0)))
        return Relaxation(
            onset_s, floor_us, cap_us, **coefficients, persistence=persistence, memory_s=memory_s
        )


@dataclass(frozen=True)
class Likelihood:
    """Log-likelihood of `reads` under `form`, as a function of θ.

    >>> form = Form("flat", 0, 0, 0, None, None, None)
    >>> reads = LaterReads(np.zeros(1, int), np.array([10.0]), np.array([10.5]), np.ones(1), 1, 0.0)
    >>> theta = np.array([0.0, -3.0, 0.5, -0.7, 0.5, 0.2])
    >>> found = Likelihood(form, reads, 25.0)
    >>> by_hand = [(found.terms(theta + h) - found.terms(theta - h)) / 2e-6
    ...            for h in 1e-6 * np.eye(6)]
    >>> np.allclose(found.scores(theta), np.array(by_hand).T, atol=1e-5)
    True
    """

    form: Form
    reads: LaterReads
    g_max: float

    def terms(self, theta: FloatArray) -> FloatArray:
        """Contribution of each read (m,)."""
        return self._evaluate(theta)[0]

    def scores(self, theta: FloatArray) -> FloatArray:
        """Derivatives of the contributions (m, q)."""
        u, log = self._u(), self._log(theta[0])
        _, by_block = self._evaluate(theta)
        columns: list[FloatArray] = []
        slope = np.zeros_like(u)
        for (block, values), (level, derivative) in zip(
            self.form.blocks(theta), by_block, strict=True
        ):
            if not level:
                slope += derivative * np.polynomial.polynomial.polyval(u, values)
            if getattr(self.form, block) is not None:
                weight = derivative if level else derivative * log
                columns += [weight * u**k for k in range(values.size)]
        h = 1e-4
        onset = slope * (self._log(theta[0] + h) - self._log(theta[0] - h)) / (2.0 * h)
        others = [
            (self.terms(theta + step) - self.terms(theta - step)) / (2.0 * h)
            for step in h * np.eye(theta.size)[1 : len(SCALES)]
        ]
        return np.stack([onset, *others, *columns], axis=1)

    def deviates(self, theta: FloatArray) -> FloatArray:
        """z of each read, N(0, 1) if the model holds (m,)."""
        return self._transformed(theta)[0]

    def by_row(self, theta: FloatArray) -> FloatArray:
        """Scores summed over the reads of each row (n, q)."""
        total = np.zeros((self.reads.n, theta.size))
        np.add.at(total, self.reads.row, self.scores(theta))
        return total

    def _u(self) -> FloatArray:
        return np.clip(self.reads.g_first / self.g_max, 0.0, 1.0)

    def _log(self, ln_onset: float) -> FloatArray:
        return log_growth(self.reads.t_s, float(np.exp(np.clip(ln_onset, -20.0, 20.0))))

    def _transformed(self, theta: FloatArray) -> tuple[FloatArray, ...]:
        """(z, ln |w|, sign of w, ln λ, ln δ, γ, change) of each read, those cut off at the cut.

        w = (c/λ) sinh(change/c) overflows where its logarithm does not.
        """
        law = self.form.law(theta, 0.0, 1.0)
        log_scale, log_tail, skew = law.shape(self._u(), self.reads.t_s)
        seen = np.maximum(self.reads.g, self.reads.g_low)
        first = np.maximum(self.reads.g_first, self.reads.g_low)
        change = floored(seen, law.floor_us) - floored(first, law.floor_us)
        x = np.maximum(np.abs(change) / law.cap_us, 1e-12)
        log_sinh = x + np.log(-np.expm1(-2.0 * x)) - np.log(2.0)
        log_w, sign = np.log(law.cap_us) - log_scale + log_sinh, np.sign(change)
        arsinh = log_w + np.log1p(np.sqrt(1.0 + np.exp(-2.0 * log_w)))
        arsinh = np.where(log_w < -10.0, np.exp(log_w), arsinh)
        z = skew + np.exp(log_tail) * sign * arsinh
        return z, log_w, sign, log_scale, log_tail, skew, change

    def _evaluate(self, theta: FloatArray) -> tuple[FloatArray, list[tuple[bool, FloatArray]]]:
        """Contributions, and their derivatives by ln λ, ln δ and γ, once for level and growth."""
        z, log_w, sign, log_scale, log_tail, skew, change = self._transformed(theta)
        law = self.form.law(theta, 0.0, 1.0)
        floor_us, cap_us = law.floor_us, law.cap_us
        log_root, tail = 0.5 * np.logaddexp(0.0, 2.0 * log_w), np.exp(log_tail)
        steep = -np.log(-np.expm1(-np.maximum(self.reads.g, self.reads.g_low) / floor_us))
        steep += np.logaddexp(change / cap_us, -change / cap_us) - np.log(2.0)
        density = -0.5 * z**2 - _HALF_LOG_2PI + log_tail - log_scale - log_root + steep
        below = log_ndtr(z)
        ratio = np.exp(-0.5 * z**2 - _HALF_LOG_2PI - below)
        cut = self.reads.g <= self.reads.g_low
        dz_scale = -tail * sign * np.exp(log_w - log_root)
        by_scale = np.where(cut, ratio * dz_scale, -z * dz_scale - np.exp(-2.0 * log_root))
        by_tail = np.where(cut, ratio, -z) * (z - skew) + ~cut
        by_skew = np.where(cut, ratio, -z)
        pairs = [(level, d) for d in (by_scale, by_tail, by_skew) for level in (True, False)]
        return np.where(cut, below, density), pairs
