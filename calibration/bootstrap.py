"""Standard errors of laws by drawing devices again, beside those of the fit.

A replicate draws as many devices as there are, with replacement and whole: all rows of a device
come together, at all levels. The estimates of the levels move by what each device adds to them (to
first order in 1/n, so no trace is read again), and the laws are fitted anew, kinks included. What
differs from the errors of the fit is what the linearisation of the laws misses.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pcmsim.calibration.drift import DriftFit
from pcmsim.calibration.law_fits import (
    LawFit,
    LevelTable,
    fit_clipped_log,
    fit_constant,
    fit_polynomial,
    fit_table,
)
from pcmsim.calibration.noise_law import BurstPower, fit_noise_law
from pcmsim.devices.laws import FloatArray

REPLICATES = 200


@dataclass(frozen=True)
class Bootstrapped:
    """Standard errors of one coefficient of a law.

    name                entry and coefficient, as `nu_std.high`
    value, stderr       of the fit
    bootstrap_stderr    standard deviation over the replicates
    """

    name: str
    value: float
    stderr: float
    bootstrap_stderr: float


def bootstrap_laws(
    drift: DriftFit,
    laws: Sequence[LawFit],
    g_max: float,
    bursts: Sequence[BurstPower],
    rng: np.random.Generator,
) -> tuple[Bootstrapped, ...]:
    """Standard errors of all coefficients of `laws` from `REPLICATES` draws of the devices.

    `bursts` are the noise powers that repeated reads added to the noise law; their devices are
    others, and their powers are drawn from normal distributions.
    """
    table, found = drift.table(), []
    for move in _moves(drift, rng):
        moved = replace(table, theta=table.theta + move)
        found.append(
            np.concatenate([_coefficients(law, moved, g_max, bursts, rng) for law in laws])
        )
    spread = np.std(found, axis=0, ddof=1)
    estimates = [(law.entry, law.regression.estimate) for law in laws]
    names = [f"{entry}.{name}" for entry, estimate in estimates for name in estimate.names]
    values = np.concatenate([estimate.values for _, estimate in estimates])
    stderrs = np.concatenate([estimate.stderrs for _, estimate in estimates])
    columns = (values.tolist(), stderrs.tolist(), spread.tolist())
    return tuple(Bootstrapped(*row) for row in zip(names, *columns, strict=True))


def _moves(drift: DriftFit, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Changes of the levels' estimates in each replicate (l, 5)."""
    numbers = np.unique(np.concatenate([level.device for level in drift.levels]))
    places = [np.searchsorted(numbers, level.device) for level in drift.levels]
    for _ in range(REPLICATES):
        drawn = np.bincount(rng.integers(numbers.size, size=numbers.size), minlength=numbers.size)
        yield np.array(
            [
                (drawn[at] - 1.0) @ level.influence
                for at, level in zip(places, drift.levels, strict=True)
            ]
        )


def _coefficients(
    law: LawFit,
    table: LevelTable,
    g_max: float,
    bursts: Sequence[BurstPower],
    rng: np.random.Generator,
) -> FloatArray:
    if law.entry == "read_noise":
        drawn = [
            replace(burst, power=burst.power + float(np.sqrt(burst.variance) * normal))
            for burst, normal in zip(bursts, rng.standard_normal(len(bursts)), strict=True)
        ]
        return fit_noise_law(table, g_max, drawn).regression.estimate.values
    return _refitted(law, table, g_max).regression.estimate.values


def _refitted(law: LawFit, table: LevelTable, g_max: float) -> LawFit:
    """The same form through other estimates of the levels, close to those it was fitted to."""
    values = law.regression.estimate.values
    if law.form == "clipped logarithm":
        return fit_clipped_log(table, g_max, law.entry, start=values)
    if law.form == "constant":
        return fit_constant(table, g_max, law.entry)
    if law.form == "table":
        return fit_table(table, g_max, law.entry)
    return fit_polynomial(table, g_max, degree=values.size - 1)
