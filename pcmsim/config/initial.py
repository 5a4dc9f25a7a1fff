"""How wide the weights of a network are before training."""

from typing import Annotated, Literal

from pydantic import Field

from pcmsim.config.base import Count, Fraction, Section

# Further out weights are all threshold, or all noise, in single precision.
Xi = Annotated[float, Field(ge=1e-3, le=1e3)]


class Glorot(Section):
    """Uniform within sqrt(6 / (inputs + outputs)) (Glorot and Bengio, PMLR 9, 249)."""

    name: Literal["glorot"] = "glorot"


class Fluctuation(Section):
    """Weights with which potentials have the root mean square threshold / xi, spikes left aside.

    Measured on the first `sequences` of the training split; see `pcmsim.networks.fluctuation`.
    `recurrent_share` is the share of the mean square that recurrent connections bring, where there
    are any.
    """

    name: Literal["fluctuation"] = "fluctuation"
    xi: Xi = 2.0
    recurrent_share: Fraction = 0.1
    sequences: Count = 100


Initial = Annotated[Glorot | Fluctuation, Field(discriminator="name")]
