"""How gradients are found: backwards through time, or while a sequence goes by.

For the sections `training`, `aware` and `loop`, where products come from the arrays.
"""

from typing import Annotated, Literal

from pydantic import Field

from pcmsim.config.base import Count, Section


class Bptt(Section):
    """Backpropagation through all time steps of a sequence."""

    rule: Literal["bptt"] = "bptt"


class TruncatedBptt(Section):
    """Backpropagation through stretches of `steps` time steps; states pass from one to the next.

    With `update` "deferred" the gradients of all stretches of a sequence add up to one update; with
    "step" each stretch has its own, and states go on under the weights that it leaves.
    """

    rule: Literal["truncated_bptt"]
    steps: Count
    update: Literal["deferred", "step"] = "deferred"


class _Online(Section):
    """What online rules share.

    `feedback` is what carries errors down from layer to layer: the network's own weights, or
    "random", matrices that are drawn once and stay. `update` is "deferred", gradients add up
    until the end of the sequence, or "step", an update after every `update_steps` time steps.
    """

    feedback: Literal["exact", "random"] = "exact"
    update: Literal["deferred", "step"] = "deferred"
    update_steps: Count = 1
    block_steps: Count = 32


class Ostl(_Online):
    """Online spatio-temporal learning (Bohnstingl et al., arXiv:2007.12723).

    `recurrence` is "complete", or "without_h" for eligibilities that ignore the recurrent matrix
    in the Jacobian. `block_steps` time steps are taken at once, fewer where an update comes
    before; the gradient is the same, and the time it takes is shorter the larger the block.
    """

    rule: Literal["ostl"]
    recurrence: Literal["complete", "without_h"] = "complete"


class Eprop(_Online):
    """Eligibilities without recurrent matrix and reset (doi:10.1038/s41467-020-17236-y)."""

    rule: Literal["eprop"]


Learning = Annotated[Bptt | TruncatedBptt | Ostl | Eprop, Field(discriminator="rule")]
