"""Faults, staircases, drift after SET and programming curves."""

from dataclasses import replace

import numpy as np
import pytest
from campaigns import VALUES, campaign_of

from pcmsim.calibration.curve import fit_curve
from pcmsim.calibration.faults import fit_faults
from pcmsim.calibration.noise_model import NoiseModel
from pcmsim.calibration.pulse_entries import PulseFits, pulse_entries
from pcmsim.calibration.records import ProgrammingCurve
from pcmsim.calibration.set_drift import fit_set_drift
from pcmsim.calibration.staircase import KnownDevices, fit_staircase
from pcmsim.errors import DataError

NOISE = NoiseModel(VALUES.read_noise, 25.0)


def within(estimate, truth, errors=4.0):
    for name, value in truth.items():
        assert abs(estimate[name] - value) < errors * estimate.stderr(name), name


def test_shares_and_level_of_stuck_devices_are_found():
    yields = campaign_of(1, yields={}).yields
    noise = float(NOISE.q(np.array(27.5)) * np.sqrt(NOISE.variance(np.array([20.0]))[0]))
    fit = fit_faults(yields, 25.0, noise)
    truth = {"p_stuck_reset": 0.005, "p_stuck_set": 0.003, "p_untunable": 0.002}
    within(fit.estimate, truth | {"stuck_set_mean": 1.1, "stuck_set_std": 0.1})
    assert sum(fit.counts.values()) == 65536


def test_a_verdict_of_the_tester_overrules_the_reads():
    yields = campaign_of(1, yields={"rows": 16, "columns": 16}).yields
    yields.state[:10] = 3
    assert np.all(fit_faults(yields, 25.0).verdict[:10] == 3)


def test_increments_of_set_pulses_are_found_in_spite_of_read_noise_and_clips():
    campaign = campaign_of(2, staircase={})
    known = KnownDevices(20.0, 0.1, 0.04, 0.1, 0.5, 0.1, 20.0, NOISE)
    fit = fit_staircase(campaign.staircases, campaign.instrument, known)
    law = VALUES.set_pulse
    truth = {name: getattr(law, name) for name in fit.estimate.names[:7]}
    within(fit.estimate, truth | {"set_device_std": 0.2})
    # The plain regression misses the slope by many of these standard errors.
    assert abs(fit.regression[0] - law.mean_slope) > 5 * fit.estimate.stderr("mean_slope")


def test_the_exponent_after_set_pulses_is_found():
    campaign = campaign_of(2, set_drift={})
    fit = fit_set_drift(campaign.set_drift, campaign.instrument, 20.0, 1.0)
    within(fit.estimate, {"set_nu_mean": 0.04, "set_nu_variance": 1e-4})


def test_the_melting_branch_is_found():
    campaign = campaign_of(2, curve={})
    laws = (VALUES.nu_mean, VALUES.nu_std)
    fit = fit_curve(campaign.curve, campaign.instrument, NOISE, laws, 25.0, 20.0)
    within(fit.estimate, {name: getattr(VALUES.melt_curve, name) for name in fit.estimate.names})


def test_voltages_are_no_currents():
    curve = ProgrammingCurve(np.zeros(1), np.zeros(1), np.arange(5.0), 1.0, np.ones((1, 5)), "V")
    with pytest.raises(DataError, match="needs currents"):
        fit_curve(curve, None, NOISE, (VALUES.nu_mean, VALUES.nu_std), 25.0, 20.0)


def test_a_spread_that_would_be_negative_is_raised_and_said_so():
    campaign = campaign_of(2, staircase={"devices": 400})
    known = KnownDevices(20.0, 0.1, 0.04, 0.1, 0.5, 0.1, 20.0, NOISE)
    fit = fit_staircase(campaign.staircases, campaign.instrument, known)
    values = fit.estimate.values.copy()
    values[4] = -0.5
    below = replace(fit, estimate=replace(fit.estimate, values=values))
    entry = pulse_entries(PulseFits(staircase=below), (0.0, 0.0), "a file")["set_pulse"]
    assert entry.value["std_offset"] + 0.1 * entry.value["std_slope"] >= -1e-12
    assert "raised" in entry.source
