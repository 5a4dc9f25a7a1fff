"""What is trained, on which data, and how in software."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pcmsim.config.base import Count, Fraction, NotNegative, Positive, Rate, Section


class Data(Section):
    """Which sequences; `pieces` limits how many chorales `bach` parses."""

    name: Literal["jsb", "bach", "synthetic"]
    pieces: Count | None = None


class Network(Section):
    """Layer sizes and the unit (Wozniak et al., doi:10.1038/s42256-020-0187-0)."""

    unit: Literal["snu", "ssnu"]
    inputs: Count = 88
    hidden: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)] = (150,)
    outputs: Count = 88
    recurrent: bool = False
    decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.8
    activation: Literal["identity", "relu", "leaky_relu"] = "identity"
    threshold: Annotated[float, Field(ge=-1e6, le=1e6)] = 1.0


class Training(Section):
    """Descent on the loss summed over notes, steps and the sequences of a batch.

    Gradients are found as the section `learning` says. Weight decay is decoupled with "adamw" and
    added to the gradient with the others; `momentum` is for "sgd". Without `shuffle` sequences
    come in the order of the data set.
    """

    epochs: Count
    batch_size: Count
    learning_rate: Rate
    optimiser: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    momentum: Fraction = 0.0
    shuffle: bool = True
    weight_decay: NotNegative = 0.0
    dropout: Fraction = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    gradient_clip: Positive | None = None

    @model_validator(mode="after")
    def _momentum_is_for_sgd(self) -> "Training":
        if self.momentum and self.optimiser != "sgd":
            raise ValueError(
                f"momentum = {self.momentum:g} is for optimiser: sgd; {self.optimiser} has its "
                f"own averages: leave the line out"
            )
        return self
