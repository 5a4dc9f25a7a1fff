"""On which data a network is trained, and how in software."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pcmsim.config.base import Count, Fraction, NotNegative, Positive, Rate, Section

# Steps of a sequence where the data set does not leave them at 20: bins, hours, words.
STEPS = {"shd": 100, "jena": 120, "ptb": 35}


class Data(Section):
    """Which sequences, how long they are, and how pictures become spikes.

    `pieces` limits how many chorales `bach` parses. `digits` and `mnist` are shown for `steps`
    steps in each of which a pixel spikes with the probability pixel/255 * `max_rate` / `steps`
    (defaults of the published example, doi:10.1038/s42256-020-0187-0); `elastic` distorts the
    training pictures of `mnist` anew in every epoch. `shd` has `steps` bins of 1.4 s / `steps` and
    `channels` of 700 / `channels` neighbouring units; `jena` windows of `steps` hours; `ptb`
    sequences of `steps` words, at whose beginning a network is at rest.
    """

    name: Literal["jsb", "bach", "synthetic", "digits", "mnist", "ecg", "shd", "jena", "ptb"]
    pieces: Count | None = None
    steps: Count = 20
    max_rate: Positive = 6.0
    elastic: bool = False
    channels: Count = 700

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: Any) -> Any:
        steps = STEPS.get(str(values.get("name"))) if isinstance(values, dict) else None
        return values if steps is None else {"steps": steps} | values


class ActivityBounds(Section):
    """Bounds of the activity of hidden layers, in outputs per unit and step, and their strengths.

    `lower` is for each unit, `upper` for the mean of a layer; either may be left out. Squares of
    what is missing or too much are added, times the strength, to the loss of each step or sequence
    that is judged (`pcmsim.loop.homeostasis`). The phases of a loop have none.
    """

    lower: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    lower_strength: Rate = 100.0
    upper: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    upper_strength: Rate = 100.0

    @model_validator(mode="after")
    def _bounded(self) -> "ActivityBounds":
        if self.lower is None and self.upper is None:
            raise ValueError("no bound is named; write lower or upper, or leave the section out")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(
                f"lower = {self.lower:g} is above upper = {self.upper:g}; no layer can keep both"
            )
        return self


class Training(Section):
    """Descent on the loss summed over notes, steps and the sequences of a batch.

    Gradients are found as the section `learning` says. Weight decay is decoupled with "adamw" and
    added to the gradient with the others, and spares decays that are trained; `momentum` is for
    "sgd", `smoothing` (0.99 unless given) is what the mean square of "rmsprop" keeps per step, and
    `epsilon` (1e-8) is what "adamw", "adam" and "rmsprop" add to the root they divide by. Without
    `shuffle` sequences come in the order of the data set. `activity` adds a penalty to what is
    descended on, not to the loss that is reported.
    """

    epochs: Count
    batch_size: Count
    learning_rate: Rate
    optimiser: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    momentum: Fraction = 0.0
    smoothing: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    epsilon: Positive | None = None
    shuffle: bool = True
    weight_decay: NotNegative = 0.0
    dropout: Fraction = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    gradient_clip: Positive | None = None
    activity: ActivityBounds | None = None

    @model_validator(mode="after")
    def _momentum_is_for_sgd(self) -> "Training":
        if self.momentum and self.optimiser != "sgd":
            raise ValueError(
                f"momentum = {self.momentum:g} is for optimiser: sgd; {self.optimiser} has its "
                f"own averages: leave the line out"
            )
        return self

    @model_validator(mode="after")
    def _averages_belong(self) -> "Training":
        for name, owners in (
            ("smoothing", ("rmsprop",)),
            ("epsilon", ("adamw", "adam", "rmsprop")),
        ):
            value = getattr(self, name)
            if value is not None and self.optimiser not in owners:
                raise ValueError(
                    f"{name} = {value:g} is for optimiser: {' or '.join(owners)}; "
                    f"{self.optimiser} has none: leave the line out"
                )
        return self
