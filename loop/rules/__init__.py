"""Update rules: how wanted changes of weights become operations on devices; one file each."""

from pcmsim import config
from pcmsim.loop.rules.accumulate import Accumulate
from pcmsim.loop.rules.digital import Digital
from pcmsim.loop.rules.refresh import Refresh
from pcmsim.loop.rules.reprogram import Reprogram
from pcmsim.loop.rules.round_robin import RoundRobin
from pcmsim.loop.rules.rule import Memory, Tally, UpdateRule
from pcmsim.loop.rules.stochastic import Stochastic

__all__ = [
    "Accumulate",
    "Digital",
    "Memory",
    "Refresh",
    "Reprogram",
    "RoundRobin",
    "Stochastic",
    "Tally",
    "UpdateRule",
    "make_rule",
]


def make_rule(spec: config.Rule, g_max: float) -> UpdateRule:
    """The rule that a configuration asks for, on devices with the range `g_max` [µS]."""
    match spec:
        case config.Accumulate():
            return Accumulate(spec.g_step)
        case config.Stochastic():
            return Stochastic(spec.g_scale)
        case config.RoundRobin():
            return RoundRobin(spec.g_step)
        case config.Reprogram():
            return Reprogram(spec.g_threshold, g_max, spec.g_stuck)
        case config.Digital():
            return Digital()
