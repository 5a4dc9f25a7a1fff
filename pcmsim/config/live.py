"""A stream that never ends: a chip that answers, and learns while it does."""

from typing import Annotated, Literal

from pydantic import Field

from pcmsim.config.base import Count, Seconds, Section
from pcmsim.config.learning import Eprop, Ostl


class Live(Section):
    """Sequences of `split` one after another, in an order drawn anew for each round of them.

    The chip is programmed as the section `loop` says, whose last phase has the rule and the
    learning rates, which stay as they are. Gradients are found as `learning` says. Inputs arrive
    every `step_s` [s], or later if products and pulses take longer, and the chip is left alone for
    `pause_s` [s] between two sequences. With `restore` one factor per matrix takes back after each
    pause what drift has taken from all devices alike. A `frozen` chip answers and never learns.

    The log has a row for every `interval` sequences, and the sliding mean of its loss is over
    `window` rows.
    """

    learning: Annotated[Ostl | Eprop, Field(discriminator="rule")] = Ostl(
        rule="ostl", update="step", update_steps=8
    )
    split: Literal["train", "valid", "test"] = "train"
    step_s: Seconds = 0.0
    pause_s: Seconds = 0.0
    restore: bool = False
    frozen: bool = False
    interval: Count = 10
    window: Count = 5
