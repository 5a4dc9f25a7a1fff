"""Faults of records are named by data set and row."""

from dataclasses import replace

import numpy as np
import pytest
from campaigns import campaign_of

from pcmsim.calibration.checks import campaign_faults, check_campaign
from pcmsim.errors import DataError

PLAN = {"targets": [5.0], "devices_per_level": 30, "programmings": 1}


def changed(**fields):
    campaign = campaign_of(1, drift=PLAN)
    return replace(campaign, drift=(replace(campaign.drift[0], **fields),))


def part():
    return campaign_of(1, drift=PLAN).drift[0]


def spoilt(row, column, value):
    g = part().g.copy()
    g[row, column] = value
    return g


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"g": spoilt(3, 2, np.inf)}, "drift: row 3: read 2 of device 3 is infinite"),
        ({"g": spoilt(4, 1, -1.0)}, "drift: row 4: read 1 of device 4 is -1 uS"),
        ({"g": part().g * 1e-6}, "were the reads in S, or the targets"),
        ({"g": 1e6 / part().g}, "were the reads in ohm? State"),
        ({"t_s": part().t_s[::-1]}, "they must increase"),
        ({"t_s": np.append(0.0, part().t_s[1:])}, "must be above 0"),
        ({"device": np.zeros(30, int)}, "device 0, programming 0 is already in row 0"),
        ({"g_target": np.full(30, -5.0)}, "g_target = -5 uS must be 0 (RESET) or more"),
        ({"g_target": np.full(30, np.nan)}, "g_target = nan uS must be 0 (RESET) or more"),
        ({"device": np.arange(29)}, "29 devices but 30 rows"),
        ({"g": np.full((30, 25), np.nan)}, "there is no read that is a number"),
    ],
)
def test_a_fault_is_named_by_data_set_and_row(fields, message):
    with pytest.raises(DataError) as caught:
        check_campaign(changed(**fields))
    assert message in str(caught.value)


def test_all_faults_are_listed_and_the_first_is_raised_with_the_count():
    campaign = changed(g=spoilt(3, 2, np.inf), t_s=part().t_s[::-1])
    assert len(list(campaign_faults(campaign))) == 2
    with pytest.raises(DataError, match="and 1 more"):
        check_campaign(campaign)


def test_small_negative_reads_are_noise_if_the_instrument_says_so():
    campaign = changed(g=spoilt(4, 1, -0.5))
    noisy = replace(campaign.instrument, g_noise_std=0.2)
    assert list(campaign_faults(replace(campaign, instrument=noisy))) == []
