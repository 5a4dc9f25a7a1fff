"""Drift, placement and noise from traces."""

from dataclasses import replace

import numpy as np
import pytest
from campaigns import VALUES, campaign_of, full_campaign

from pcmsim.calibration.calibrate import Choices, calibrate, refuse
from pcmsim.calibration.drift import fit_drift
from pcmsim.calibration.records import Campaign, DriftTraces, Instrument
from pcmsim.errors import DataError

INSTRUMENT = Instrument(2.5e-7, g_step=0.01)
PLAN = {"targets": [3.5, 10.0, 20.0], "devices_per_level": 1500, "programmings": 2}


@pytest.fixture(scope="module")
def campaign():
    return campaign_of(3, drift=PLAN)


@pytest.fixture(scope="module")
def fit(campaign):
    return fit_drift(campaign.drift, campaign.instrument, 25.0, 20.0)


def test_levels_recover_what_made_the_traces(fit):
    for level in fit.levels:
        g = np.array(level.g_target / 25.0)
        truth = {
            "g_location": level.g_target,
            "g_spread": float(VALUES.programming_std(g)) ** 2,
            "nu_mean": float(VALUES.nu_mean(g)),
            "nu_variance": float(VALUES.nu_std(g)) ** 2,
        }
        for name, value in truth.items():
            assert abs(level.estimate[name] - value) < 4 * level.estimate.stderr(name), name
        # Q depends on each device: E[Q² G²] is a few per cent from that of the target.
        power = float(VALUES.read_noise(g) * level.g_target) ** 2
        assert level.estimate["noise_power"] == pytest.approx(power, rel=0.04)


def test_spread_of_the_exponent_is_not_inflated_by_read_noise(campaign, fit):
    """Least squares on ln G, device by device, without taking read noise out."""
    part, level = list(campaign.drift)[1], fit.levels[1]
    rows = part.g[np.asarray(part.converged, bool) & ~np.isnan(part.g).any(axis=1)]
    slopes = -np.polyfit(np.log(part.t_s / 20.0), np.log(rows.T), 1)[0]
    truth = float(VALUES.nu_std(np.array(0.4)))
    assert slopes.std() > 1.2 * truth
    assert np.sqrt(level.estimate["nu_variance"]) == pytest.approx(truth, rel=0.1)


def test_share_of_the_device_is_found_from_programming_twice(fit):
    share = fit.share
    assert abs(share["nu_device_share"] - 0.5) < 4 * share.stderr("nu_device_share")
    assert share.stderr("nu_device_share") < 0.05


def test_programmed_once_the_share_is_not_identified():
    once = campaign_of(3, drift=PLAN | {"programmings": 1})
    assert fit_drift(once.drift, once.instrument, 25.0, 20.0).share is None


def test_a_file_in_pieces_gives_the_same_fit(campaign, fit):
    pieces = []
    for part in campaign.drift:
        for rows in np.array_split(np.arange(part.g.shape[0]), 7):
            names = ("device", "programming", "g_target", "converged", "g")
            pieces.append(replace(part, **{name: getattr(part, name)[rows] for name in names}))
    other = fit_drift(pieces, campaign.instrument, 25.0, 20.0)
    for a, b in zip(fit.levels, other.levels, strict=True):
        np.testing.assert_allclose(a.estimate.values, b.estimate.values, rtol=1e-5)
        np.testing.assert_allclose(a.estimate.stderrs, b.estimate.stderrs, rtol=1e-4)


def test_what_is_left_out_is_counted(campaign, fit):
    failed = sum(int((~np.asarray(part.converged, bool)).sum()) for part in campaign.drift)
    counts = {exclusion.reason: exclusion.count for exclusion in fit.exclusions}
    assert counts["programming did not converge"] == failed
    assert counts["the sample is missing"] > 1000


def test_too_short_a_time_is_refused(campaign):
    short = [replace(part, t_s=part.t_s[:4], g=part.g[:, :4]) for part in campaign.drift]
    with pytest.raises(DataError, match="cannot tell drift from slow noise"):
        fit_drift(short, INSTRUMENT, 25.0, 20.0)


def test_too_few_devices_are_refused():
    few = DriftTraces(
        np.arange(5), np.zeros(5, int), np.full(5, 5.0), np.ones(5), np.geomspace(1, 1e4, 8),
        np.full((5, 8), 5.0),
    )  # fmt: skip
    with pytest.raises(DataError, match="no level has 20 devices"):
        fit_drift([few], INSTRUMENT, 25.0, 20.0)


@pytest.fixture(scope="module")
def calibration():
    return calibrate(full_campaign(), Choices("my-chip", source="a file"))


def test_every_fitted_entry_lies_within_its_errors(calibration):
    """4.5 standard errors: about forty numbers are compared at once."""
    truth = {name: VALUES.__dict__[name] for name in VALUES.__dict__}
    for name, entry in calibration.parameter_set.entries.items():
        if entry.stderr is None:
            continue
        for found, stderr, true in _numbers(entry.value, entry.stderr, truth[name]):
            assert abs(found - true) < 4.5 * stderr, (name, found, true, stderr)


def _numbers(value, stderr, truth):
    if isinstance(value, dict) and "polynomial" in value:
        yield from zip(value["polynomial"], stderr, truth.polynomial, strict=True)
    elif isinstance(value, dict):
        for key, error in stderr.items():
            yield value[key], error, getattr(truth, key)
    else:
        yield value, stderr, truth


def test_spread_of_the_exponent_is_within_five_per_cent_at_high_levels(calibration):
    found = calibration.parameter_set.values.nu_std(np.array([0.1, 0.2, 0.4, 1.0]))
    np.testing.assert_allclose(found, VALUES.nu_std(np.array([0.1, 0.2, 0.4, 1.0])), rtol=0.05)


def test_the_simplest_form_that_predicts_as_well_is_kept(calibration):
    forms = {name: choice.kept.form for name, choice in calibration.fits.laws.items()}
    assert forms["programming_std"] == "degree 2"
    assert forms["nu_mean"] == "clipped logarithm"


def test_a_set_reproduces_the_data_it_was_made_from(calibration):
    assert calibration.faults == ()
    refuse(calibration)


def test_devices_of_two_kinds_are_refused():
    """Half of the devices do not drift, the others fall to nothing: no exponent describes both."""
    traces = list(
        campaign_of(4, drift={"targets": [5.0, 10.0, 20.0], "devices_per_level": 400}).drift
    )
    split = []
    for part in traces:
        odd = (part.device % 2 == 1)[:, None]
        late = part.t_s > 1000.0
        split.append(replace(part, g=np.where(odd & late, 0.02 * part.g, part.g)))
    with pytest.raises(DataError, match="does not reproduce its own data"):
        refuse(calibrate(Campaign(INSTRUMENT, split), Choices("mixed")))


def test_what_was_not_measured_is_named_and_kept():
    alone = campaign_of(3, drift=PLAN)
    found = calibrate(alone, Choices("drift-only"))
    lost = {item.entry: item for item in found.unidentified}
    assert "yield map" in lost["p_stuck_set"].measurement
    assert "set_pulse" in lost
    assert found.parameter_set.entries["set_pulse"].source.startswith("not measured, kept from")
