"""Training and evaluation of spiking networks, in software and with a crossbar in the loop.

`fit` trains in software, `evaluate` measures a network whose products come from software or,
through `multiply`, from a chip, and `stream` runs it on a chip step by step, as it is deployed.
With the hardware in the loop, `open_arrays` gives the crossbars of a chip, simulated or real,
`LoopNetwork` puts a network onto them, `train_in_loop` trains it there, and `live` lets it learn
while it answers. Runs that were stopped go on from their checkpoint, bit for bit.
"""

from pcmsim.loop.announcing import Announcing
from pcmsim.loop.autosave import Autosave
from pcmsim.loop.aware import Disturbance, hold_all
from pcmsim.loop.checkpoint import Checkpoint, EpochReport, load_checkpoint
from pcmsim.loop.crossbar import Crossbar, Restorable, Timekeeper, Worn
from pcmsim.loop.driver import find_driver, guarded, open_arrays
from pcmsim.loop.evaluation import Evaluation, evaluate, in_batches
from pcmsim.loop.guarded import Guarded, HardwareError
from pcmsim.loop.in_loop import train_in_loop
from pcmsim.loop.judging import inputs
from pcmsim.loop.linear import HardwareLinear, measured_product
from pcmsim.loop.live import LiveReport, Stream, live
from pcmsim.loop.loop_checkpoint import restore_training, save_training
from pcmsim.loop.loop_learners import LoopLearner, make_loop_learner
from pcmsim.loop.loop_network import LoopNetwork
from pcmsim.loop.loop_run import LoopReport, LoopRun, begin
from pcmsim.loop.measured import measured, program_network
from pcmsim.loop.mock import MockCrossbar
from pcmsim.loop.simulated import SimulatedArrays, SimulatedCrossbar
from pcmsim.loop.stages import Measured, follow
from pcmsim.loop.streaming import Streamed, stream, stream_s
from pcmsim.loop.threads import one_thread
from pcmsim.loop.trainer import Fit, fit
from pcmsim.loop.weights import WeightArray

__all__ = [
    "Announcing",
    "Autosave",
    "Checkpoint",
    "Crossbar",
    "Disturbance",
    "EpochReport",
    "Evaluation",
    "Fit",
    "Guarded",
    "HardwareError",
    "HardwareLinear",
    "LiveReport",
    "LoopLearner",
    "LoopNetwork",
    "LoopReport",
    "LoopRun",
    "Measured",
    "MockCrossbar",
    "Restorable",
    "SimulatedArrays",
    "SimulatedCrossbar",
    "Stream",
    "Streamed",
    "Timekeeper",
    "WeightArray",
    "Worn",
    "begin",
    "evaluate",
    "find_driver",
    "fit",
    "follow",
    "guarded",
    "hold_all",
    "in_batches",
    "inputs",
    "live",
    "load_checkpoint",
    "make_loop_learner",
    "measured",
    "measured_product",
    "one_thread",
    "open_arrays",
    "program_network",
    "restore_training",
    "save_training",
    "stream",
    "stream_s",
    "train_in_loop",
]
