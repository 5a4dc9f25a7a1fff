"""Read noise from repeated reads."""

import numpy as np
import pytest
from campaigns import DEFAULT, VALUES, campaign_of

from pcmsim.calibration.noise import fit_noise

PLAN = {"targets": [5.0, 15.0], "devices_per_level": 200, "count": 256}


@pytest.mark.parametrize("exponent", [1.0, 1.21])
def test_the_exponent_of_the_spectrum_is_found(exponent):
    made = DEFAULT.with_values(read_noise_exponent=exponent)
    campaign = campaign_of(5, made, reads=PLAN)
    fit = fit_noise(campaign.reads, campaign.instrument)
    assert abs(fit.estimate["exponent"] - exponent) < 4 * fit.estimate.stderr("exponent")
    assert (fit.exponent == 1.0) == (exponent == 1.0)


def test_whittle_and_structure_function_find_the_power_that_was_put_in():
    campaign = campaign_of(6, reads=PLAN)
    for level in fit_noise(campaign.reads, campaign.instrument).levels:
        g = level.g_mean
        power = float(VALUES.read_noise(np.array(level.g_target / 25.0)) * g) ** 2
        for estimate in (level.fixed, level.allan):
            assert abs(estimate["noise_power"] - power) < 4.5 * estimate.stderr("noise_power")


def test_levels_whose_reads_reach_zero_are_left_out_and_counted():
    campaign = campaign_of(7, reads=PLAN | {"targets": [0.25, 15.0]})
    fit = fit_noise(campaign.reads, campaign.instrument)
    assert [level.g_target for level in fit.levels] == [15.0]
    assert "reach zero" in fit.exclusions[0].reason
