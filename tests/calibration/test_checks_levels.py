"""Faults of closed-loop levels are named by row and value."""

from dataclasses import replace

import numpy as np
import pytest
from campaigns import campaign_of

from pcmsim.calibration.checks import check_campaign
from pcmsim.errors import DataError

PLAN = {"targets": [10.0], "devices_per_level": 30}


def levels():
    return campaign_of(1, levels=PLAN, instrument={"missing": 0.0}).levels


def moved(row, **values):
    """Fields with one row changed."""
    changed = {}
    for name, value in values.items():
        changed[name] = getattr(levels(), name).copy()
        changed[name][row] = value
    return changed


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tolerance": -0.8}, "tolerance = -0.8 uS must be above 0"),
        ({"tolerance": np.nan}, "tolerance = nan uS must be above 0"),
        ({"tolerance": 80.0}, "tolerance = 80 uS is wider than every target, up to 10 uS"),
        ({"verify_after_s": 0.0}, "verify_after_s = 0 s must be above 0"),
        ({"verify_after_s": 0.5}, "read_after_s[0] = 0.01 s is not after the verify read, 0.5 s"),
        (
            {"read_after_s": np.array([0.1, 0.01, 1.0, 20.0])},
            "they must increase: sort the columns",
        ),
        (moved(3, iterations=0), "row 3: iterations = 0 of device 3 must be 1 or more"),
        (moved(3, converged=2), "row 3: converged = 2 must be 0 or 1"),
        (moved(5, g_verify=14.0, converged=1), "row 5: device 5 converged, but its verify read"),
        (moved(5, g_verify=-1.0, converged=0), "row 5: the verify read of device 5 is -1"),
        (moved(7, device=2), "row 7: device 2, g_target 10 is already in row 2"),
        ({"g": levels().g * 1e-6}, "were the reads in S"),
        ({"g": 1e6 / levels().g}, "ohm"),
        ({"device": np.arange(29)}, "29 devices but 30 rows"),
        (
            {"read_after_s": np.array([1.0, 20.0])},
            "4 reads in a row, but read_after_s has shape (2,)",
        ),
        ({"iterations": np.ones(29)}, "29 iterations but 30 rows"),
        (moved(2, g_target=-1.0), "row 2: g_target = -1 uS must be 0 (RESET) or more"),
    ],
)
def test_a_fault_is_named_by_row_and_value(fields, message):
    campaign = campaign_of(1, levels=PLAN, instrument={"missing": 0.0})
    with pytest.raises(DataError) as caught:
        check_campaign(replace(campaign, levels=replace(levels(), **fields)))
    assert message in str(caught.value)


def test_a_missing_verify_read_and_rounding_are_no_faults():
    changed = moved(4, g_verify=np.nan)
    changed["g_verify"][6] = 10.0 + 0.8 * 1.04
    campaign = campaign_of(1, levels=PLAN, instrument={"missing": 0.0})
    check_campaign(replace(campaign, levels=replace(levels(), **changed)))
