"""What answers: the last layer of a network."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pcmsim.config.base import Section
from pcmsim.config.decays import Decay, TimeConstants, alone, decay_or_constants


class DenseReadout(Section):
    """Logits x W + bias, without state."""

    name: Literal["dense"] = "dense"


class SpikingReadout(Section):
    """A layer of the same units, feed-forward; what it puts out is the answer."""

    name: Literal["spiking"] = "spiking"


class LeakyReadout(Section):
    """Logits that leak: o_t = a o_{t-1} + (1 - a) (x W + bias), a trained for each output."""

    name: Literal["leaky"] = "leaky"
    decay: Decay | None = None
    time_constants: TimeConstants | None = None

    _one_way = field_validator("time_constants")(alone)

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: Any) -> Any:
        return decay_or_constants(values, 0.9)


ReadoutKind = Annotated[DenseReadout | SpikingReadout | LeakyReadout, Field(discriminator="name")]
