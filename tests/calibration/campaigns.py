"""Small virtual campaigns that several tests share."""

from functools import cache

from pcmsim.calibration.virtual import measure_campaign
from pcmsim.config import build_plan
from pcmsim.devices import load_parameter_set

NOTHING = dict.fromkeys(("drift", "reads", "staircase", "set_drift", "curve", "yields", "levels"))
DEFAULT = load_parameter_set("pcm-gst-90nm")
VALUES = DEFAULT.values


@cache
def full_campaign(seed=0):
    """The default plan."""
    return measure_campaign(DEFAULT, build_plan({}), seed)


def campaign_of(seed=0, parameter_set=DEFAULT, **sections):
    """A campaign of the named sections only."""
    return measure_campaign(parameter_set, build_plan(NOTHING | sections), seed)
