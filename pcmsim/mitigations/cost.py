"""What a mitigation costs: products, devices written, and an estimate of the energy."""

from dataclasses import astuple, dataclass

from pcmsim.config import Energy


@dataclass(frozen=True)
class Cost:
    """Counts; costs add up.

    `products` counts input vectors applied to a matrix, `macs` the weights that took part in them,
    `programmed` the devices that were written, `digital_macs` the multiplications of training in
    software.

    >>> Cost(products=2, macs=20) + Cost(programmed=5)
    Cost(products=2, macs=20, programmed=5, digital_macs=0)
    """

    products: int = 0
    macs: int = 0
    programmed: int = 0
    digital_macs: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(*(mine - its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def energy_pj(self, energy: Energy) -> float:
        """Estimate of the energy [pJ] with the figures of `energy`."""
        return (
            self.macs * energy.multiply_pj
            + self.programmed * energy.program_pj
            + self.digital_macs * energy.digital_pj
        )
