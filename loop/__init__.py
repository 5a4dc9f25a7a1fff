"""Training and evaluation of spiking networks, in software and against a crossbar.

`fit` trains, `evaluate` measures a network whose products come from software or, through
`multiply`, from a chip; a run that was stopped goes on from its checkpoint, bit for bit.
"""

from pcmsim.loop.checkpoint import Checkpoint, EpochReport, load_checkpoint
from pcmsim.loop.evaluation import Evaluation, evaluate
from pcmsim.loop.measured import measured, program_network
from pcmsim.loop.threads import one_thread
from pcmsim.loop.trainer import Fit, fit

__all__ = [
    "Checkpoint",
    "EpochReport",
    "Evaluation",
    "Fit",
    "evaluate",
    "fit",
    "load_checkpoint",
    "measured",
    "one_thread",
    "program_network",
]
