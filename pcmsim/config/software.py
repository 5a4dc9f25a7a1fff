"""What is trained, on which data, and how in software."""

from typing import Annotated, Literal

from pydantic import Field

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
    """Backpropagation through time with AdamW on the summed loss of a batch of sequences."""

    epochs: Count
    batch_size: Count
    learning_rate: Rate
    weight_decay: NotNegative = 0.0
    dropout: Fraction = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    gradient_clip: Positive | None = None
