"""The section about closed-loop programming: who was not accepted, and what agrees."""

import numpy as np
import pytest
from campaigns import VALUES
from programmed import INSTRUMENT, drawn

from pcmsim.calibration.programming import fit_programming
from pcmsim.jobs.calibration_programming import programming_section


@pytest.fixture(scope="module")
def tables():
    levels, _ = drawn(np.random.default_rng(10), 600, q=0.05)
    levels.converged[:6] = 0
    levels.g_verify[:6] = [20.0, 20.0, 20.0, 3.0, 3.0, np.nan]
    fit = fit_programming(levels, INSTRUMENT, 20.0)
    return programming_section(fit, VALUES).tables


def rows(table):
    return [dict(zip(table.head, row, strict=True)) for row in table.rows]


def test_devices_that_were_not_accepted_are_told_by_kind(tables):
    (row,) = rows(tables[0])
    found = {name: row[name] for name in ("devices", "accepted", "above", "below", "unread")}
    assert found == {"devices": 600, "accepted": 594, "above": 3, "below": 2, "unread": 1}


def test_the_page_says_what_agrees_and_what_need_not(tables):
    """Read noise of 0.05 is twice that of the set; the exponent is that of the set."""
    agrees = {row["quantity"]: row["agrees"] for row in rows(tables[1])}
    assert agrees["noise amplitude Q G [uS]"] == "no"
    assert agrees["mean drift exponent"] == "yes"
    assert agrees["spread at t0 [uS]"].endswith("need not")
