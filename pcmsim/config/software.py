"""On which data a network is trained, and how in software."""

from typing import Literal

from pcmsim.config.base import Count, Fraction, NotNegative, Positive, Rate, Section


class Data(Section):
    """Which sequences; `pieces` limits how many chorales `bach` parses."""

    name: Literal["jsb", "bach", "synthetic"]
    pieces: Count | None = None


class Training(Section):
    """Backpropagation through time with AdamW on the summed loss of a batch of sequences."""

    epochs: Count
    batch_size: Count
    learning_rate: Rate
    weight_decay: NotNegative = 0.0
    dropout: Fraction = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    gradient_clip: Positive | None = None
