"""The design of a sensitivity study: which variants are measured on which chips, as what work.

One at a time: the nominal set, and each parameter at 1 - step and 1 + step with all others at 1,
every one of them on every chip. What chips have in common drops out of differences.

Sobol: points A_i and B_i of a scrambled Sobol sequence in the cube 1 ± step, and A_i with its
parameter j taken from B_i (Saltelli et al., doi:10.1016/j.cpc.2009.09.018), N (D + 2) points for
D parameters. A base point i, that is the D + 2 points made of A_i and B_i, is measured on one chip,
so that all its differences are between variants of the same devices: the draws of a chip do not
depend on its parameters. Base points are shared among chips in runs of the sequence, whose length
is a power of two, so that each chip sees points that fill the cube evenly.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from SALib.sample import sobol

from pcmsim.config import Sensitivity
from pcmsim.rng import stream
from pcmsim.studies.plan import NO_REFRESH, Life, Unit
from pcmsim.studies.variation import name_of

# The temperature at which the numbers of a device set hold; no configuration can call one so.
REFERENCE = "~reference"
# Fewer base points than this say little about the mean of a chip.
BASE_POINTS_OF_A_CHIP = 16
# Lives of a unit of work: what they share is worked out once, what is done is saved together.
_LIVES = 16


@dataclass(frozen=True)
class Design:
    """Points of the parameters, as factors, and the chips that they are measured on.

    Row 0 of `factors` (points, parameters) is nominal; rows 1 + 2 j and 2 + 2 j have parameter j
    low and high; from `first_sobol` on, base point after base point, come A, A with one parameter
    after the other of B, and B. `chips` measure what varies one at a time, the first `sobol_chips`
    of them an equal share of the base points each.
    """

    parameters: tuple[str, ...]
    factors: NDArray[np.float64]
    chips: int
    samples: int

    @property
    def first_sobol(self) -> int:
        """Row of the first point of the Sobol design."""
        return 1 + 2 * len(self.parameters)

    @property
    def block(self) -> int:
        """Points made of one base point."""
        return len(self.parameters) + 2

    @property
    def sobol_chips(self) -> int:
        """How many chips share the base points: a power of two, none without base points.

        >>> Design(("nu_mean",), np.ones((195, 1)), chips=8, samples=64).sobol_chips
        4
        """
        most = min(self.chips, max(self.samples // BASE_POINTS_OF_A_CHIP, 1))
        return 1 << (most.bit_length() - 1) if self.samples else 0

    def chip_of(self, base_point: int) -> int:
        """Chip that a base point is measured on."""
        return base_point * self.sobol_chips // self.samples

    def rows_of(self, base_point: int) -> range:
        """Rows of the points made of a base point."""
        first = self.first_sobol + base_point * self.block
        return range(first, first + self.block)


def design_of(settings: Sensitivity, seed: int) -> Design:
    """The design that the settings ask for; `seed` scrambles the Sobol sequence."""
    n = len(settings.parameters)
    nominal = np.ones((1 + 2 * n, n))
    for j in range(n):
        nominal[1 + 2 * j, j], nominal[2 + 2 * j, j] = 1.0 - settings.step, 1.0 + settings.step
    points = [nominal]
    if settings.samples:
        # SALib takes its chance from the generator it is given, not from numpy's global one.
        rng = stream(seed, "sensitivity", "points")
        cube = problem(settings.parameters, settings.step)
        points.append(sobol.sample(cube, settings.samples, calc_second_order=False, seed=rng))
    return Design(settings.parameters, np.concatenate(points), settings.chips, settings.samples)


def problem(parameters: tuple[str, ...], step: float) -> dict[str, object]:
    """The cube of factors, as SALib wants it."""
    bounds = [[1.0 - step, 1.0 + step]] * len(parameters)
    return {"num_vars": len(parameters), "names": list(parameters), "bounds": bounds}


def units_of_design(
    design: Design, network: str, compensation: str, t_s: float
) -> tuple[Unit, ...]:
    """Units of work, each some variants on one chip, measured once, at `t_s` [s]."""

    def unit(name: str, chip: int, rows: list[int]) -> Unit:
        lives = [Life(REFERENCE, NO_REFRESH, (compensation,), name_of(row)) for row in rows]
        return Unit(network, name, chip, tuple(lives), (t_s,))

    units = [unit("~one", chip, list(range(design.first_sobol))) for chip in range(design.chips)]
    together = max(_LIVES // design.block, 1)
    for chip in range(design.sobol_chips):
        share = [i for i in range(design.samples) if design.chip_of(i) == chip]
        for first in range(0, len(share), together):
            points = share[first : first + together]
            rows = [row for point in points for row in design.rows_of(point)]
            units.append(unit(f"~from{points[0]}", chip, rows))
    return tuple(units)
