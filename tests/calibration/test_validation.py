"""Validation of a calibration: devices and times that the fit did not see."""

from dataclasses import replace

import numpy as np
import pytest
from campaigns import campaign_of

from pcmsim.calibration.calibrate import Choices, calibrate
from pcmsim.calibration.distributions import held_out
from pcmsim.calibration.selection import device_numbers, first_programmings, without_time
from pcmsim.calibration.validate import SHARE, validate
from pcmsim.rng import stream

PLAN = {
    "targets": [0.0, 2.2, 6.0, 15.0, 25.0],
    "devices_per_level": 600,
    "times": {"count": 9},
    "programmings": 2,
}
CHOICES = Choices("chip")


def validated(campaign):
    return validate(campaign, CHOICES, calibrate(campaign, CHOICES), seed=1)


@pytest.fixture(scope="module")
def campaign():
    return campaign_of(5, drift=PLAN)


@pytest.fixture(scope="module")
def validation(campaign):
    return validated(campaign)


def test_a_true_model_is_not_rejected(validation):
    """45 tests at 0.1 % of which those of a level are nearly one: wrong in less than 1 in 50."""
    assert len(validation.distributions) == 5 * 9
    assert validation.rejected(0.001) == ()
    assert min(error.p_value for error in validation.array) > 0.001
    assert validation.skipped == ()


def test_left_out_times_are_predicted_within_their_errors(validation):
    """Mean within 4 standard errors of the reads, spread within 4.5: 30 numbers are compared."""
    assert {round(item.t_s) for item in validation.left_out} == {68, 2629, 345600}
    for item in validation.left_out:
        assert abs(item.mean - item.predicted_mean) < 4.0 * item.mean_stderr, item
        assert abs(item.std - item.predicted_std) < 4.5 * item.std_stderr, item


def test_drawing_devices_again_gives_the_errors_of_the_fit(validation):
    """200 replicates know an error to 5 %; the level below a kink is as good as linear."""
    found = {item.name: item for item in validation.bootstrap}
    for name in ("programming_std.c0", "programming_std.c1", "nu_mean.low", "nu_std.low"):
        assert found[name].bootstrap_stderr == pytest.approx(found[name].stderr, rel=0.2)


@pytest.fixture(scope="module")
def small():
    targets = [2.2, 6.0, 15.0, 25.0]
    plan = {"targets": targets, "devices_per_level": 200, "times": {"count": 5}}
    return campaign_of(5, drift=PLAN | plan)


@pytest.fixture
def few_replicates(monkeypatch):
    """Standard errors by drawing again are tested above, and take most of the time."""
    monkeypatch.setattr("pcmsim.calibration.bootstrap.REPLICATES", 2)


def test_nothing_of_a_held_out_device_reaches_a_prediction(small, few_replicates):
    """Held-out devices are spoilt: what is predicted for them stays, and they are rejected."""
    validation = validated(small)
    numbers = device_numbers(small.drift)
    chosen = numbers[held_out(numbers, SHARE, stream(1, "held out"))]
    spoilt = []
    for part in small.drift:
        factor = np.where(np.isin(part.device, chosen), 1.3, 1.0)
        spoilt.append(replace(part, g=part.g * factor[:, None]))
    other = validated(replace(small, drift=tuple(spoilt)))
    for a, b in zip(validation.distributions, other.distributions, strict=True):
        np.testing.assert_allclose(a.predicted, b.predicted, rtol=1e-9)
    for a, b in zip(validation.left_out, other.left_out, strict=True):
        assert b.predicted_mean == pytest.approx(a.predicted_mean, rel=1e-9)
        assert b.mean == pytest.approx(1.3 * a.mean, rel=1e-9)
    assert {item.label for item in other.rejected(1e-4)} >= {"6 uS", "15 uS", "25 uS"}
    assert other.likelihood < validation.likelihood - 100.0


def test_a_left_out_time_is_not_in_the_traces_that_are_fitted(campaign):
    for whole, part in zip(campaign.drift, without_time(campaign.drift, 4), strict=True):
        np.testing.assert_array_equal(part.t_s, np.r_[whole.t_s[:4], whole.t_s[5:]])
        np.testing.assert_array_equal(part.g[:, 3:5], whole.g[:, [3, 5]])


def test_both_programmings_of_a_device_are_on_the_same_side_and_one_is_compared(campaign):
    reads = first_programmings(campaign.drift)
    part = next(iter(campaign.drift))
    converged = np.asarray(part.converged, bool) & ~np.isnan(part.g).all(axis=1)
    assert reads[0.0].shape[0] == np.unique(part.device[converged]).size
    first = part.g[converged & (part.programming == 0)]
    np.testing.assert_array_equal(reads[0.0], first)


def test_what_is_too_little_to_examine_is_named(few_replicates):
    plan = PLAN | {
        "targets": [2.2, 6.0, 15.0, 25.0],
        "devices_per_level": 60,
        "times": {"count": 4},
    }
    found = validated(campaign_of(6, drift=plan))
    assert found.array == ()
    assert found.left_out == ()
    assert any("arrays" in line for line in found.skipped)
    assert any("times" in line for line in found.skipped)


def test_levels_and_times_without_reads_are_named(small, few_replicates):
    """Held-out devices of 6 uS were not read last, of 15 uS once then, of 25 uS never."""
    numbers = device_numbers(small.drift)
    chosen = numbers[held_out(numbers, SHARE, stream(1, "held out"))]
    parts = []
    for part in small.drift:
        inside, g = np.isin(part.device, chosen), part.g.copy()
        g[inside & (part.g_target == 6.0), -1] = np.nan
        g[np.flatnonzero(inside & (part.g_target == 15.0) & (part.programming == 0))[1:], -1] = (
            np.nan
        )
        g[inside & (part.g_target == 25.0)] = np.nan
        parts.append(replace(part, g=g))
    found = validated(replace(small, drift=tuple(parts)))
    assert found.skipped == (
        "6 uS at 345600 s: no held-out device was read",
        "25 uS: no device with a read was held out",
        "left-out times: 6 uS at 345600 s: fewer than two reads of held-out devices",
        "left-out times: 15 uS at 345600 s: fewer than two reads of held-out devices",
        "array: the held-out devices make fewer than 8 arrays",
    )
