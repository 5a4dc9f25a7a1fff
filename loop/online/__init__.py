"""Learning while a sequence goes by: OSTL, its variants, and e-prop.

`step` takes a memory and some time steps and returns the memory after them with the gradients of
their loss; the memory does not grow with the length of the sequence. `rest` is where it begins.
"""

from pcmsim.loop.online.learning import Gradients, Seen, carry, see, step
from pcmsim.loop.online.losses import Loss, bernoulli, categorical, squared, step_loss
from pcmsim.loop.online.memory import LayerMemory, Memory, rest
from pcmsim.loop.online.method import EPROP, OSTL, OSTL_WITHOUT_H, Method, random_feedback

__all__ = [
    "EPROP",
    "OSTL",
    "OSTL_WITHOUT_H",
    "Gradients",
    "LayerMemory",
    "Loss",
    "Memory",
    "Method",
    "Seen",
    "bernoulli",
    "carry",
    "categorical",
    "random_feedback",
    "rest",
    "see",
    "squared",
    "step",
    "step_loss",
]
