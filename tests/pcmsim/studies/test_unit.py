import math
from dataclasses import replace

import numpy as np
import pytest

from pcmsim.config import build_study
from pcmsim.jobs.study_materials import gather, survey
from pcmsim.loop import evaluate
from pcmsim.studies import COSTS, Life, Materials, Unit, run_unit, units_of
from pcmsim.studies.unit import Outcome

DAY_S = 86400.0


def lived(unit, materials) -> Outcome:
    outcome = run_unit(unit, materials)
    assert outcome.failed == {}
    return outcome


def with_devices(materials: Materials, **values) -> Materials:
    devices = {n: d.with_values(**values) for n, d in materials.devices.items()}
    return replace(materials, devices=devices)


def one(unit, temperature="room", refresh="none", compensations=("none", "global"), times_s=None):
    life = Life(temperature, refresh, compensations)
    return life, replace(unit, lives=(life,), times_s=times_s or unit.times_s)


@pytest.fixture
def unit(small) -> Unit:
    return units_of(small)[0]


def test_without_noise_and_drift_the_metric_is_that_of_the_software(values, tmp_path):
    ideal = {"devices": {"gst": "ideal"}, "temperatures": {"room": {"celsius": 25.0}}}
    materials = gather(survey(build_study(values | ideal)), tmp_path)
    life, alone = one(units_of(materials.study)[0], compensations=("none", "global", "column"))
    subject = materials.subjects["soft"]
    software = evaluate(subject.network, subject.dataset.test).per_step
    found = lived(alone, materials).lived[life].metric[..., 0]
    np.testing.assert_allclose(found, software, atol=1e-5)


def test_with_one_exponent_for_all_global_compensation_restores_the_metric(unit, materials):
    """Exactly but for rounding in single precision; without it the metric moves."""
    alike = with_devices(
        materials,
        nu_mean={"constant": 0.06},
        nu_std={"constant": 0.0},
        stuck_set_nu=0.06,
        read_noise={"constant": 0.0},
    )
    times_s = (0.001, 3600.0, 30 * DAY_S)
    life, alone = one(unit, times_s=times_s)
    none, compensated = lived(alone, alike).lived[life].metric[..., 0]
    np.testing.assert_allclose(compensated, compensated[0], atol=2e-5)
    # The reference is what devices showed at the age t0, when nothing had to be restored.
    assert compensated[0] == pytest.approx(none[0], abs=2e-5)
    assert np.abs(none - none[0]).max() > 0.02


def test_two_waits_equal_one(unit, materials):
    """What is measured in between leaves no trace, refreshes and temperature included."""
    for refresh in ("none", "daily"):
        life, whole = one(unit, "warm", refresh, times_s=(10.0, 3600.0, 2.5 * DAY_S))
        _, short = one(unit, "warm", refresh, times_s=(2.5 * DAY_S,))
        several, at_once = (lived(u, materials).lived[life].metric for u in (whole, short))
        np.testing.assert_array_equal(several[:, -1], at_once[:, -1])


def test_a_life_does_not_depend_on_which_others_there_are(unit, materials):
    together = lived(unit, materials).lived
    for life in unit.lives:
        alone = lived(replace(unit, lives=(life,)), materials).lived[life]
        np.testing.assert_array_equal(alone.metric, together[life].metric)
        np.testing.assert_array_equal(alone.calibration, together[life].calibration)


def test_a_compensation_does_not_depend_on_which_others_there_are(unit, materials):
    life, both = one(unit)
    together = lived(both, materials).lived[life]
    for k, kind in enumerate(life.compensations):
        single, alone = one(unit, compensations=(kind,))
        found = lived(alone, materials).lived[single].metric[0]
        np.testing.assert_array_equal(found, together.metric[k])


def test_refresh_starts_the_clock_of_all_devices_again(unit, materials):
    """Without placement error or noise, an hour after a refresh is an hour after programming."""
    exact = with_devices(
        materials,
        programming_std={"constant": 0.0},
        reset_log_std=0.0,
        nu_std={"constant": 0.0},
        read_noise={"constant": 0.0},
        p_stuck_reset=0.0,
        p_stuck_set=0.0,
        p_untunable=0.0,
    )
    life, alone = one(unit, refresh="daily", times_s=(3600.0, DAY_S, DAY_S + 3600.0))
    hour, day, after = lived(alone, exact).lived[life].metric[0, :, 0]
    assert after == pytest.approx(hour, abs=1e-6)
    assert abs(day - hour) > 1e-3


def test_refreshes_are_counted_when_they_happen(unit, materials):
    life, alone = one(unit, refresh="daily", times_s=(3600.0, DAY_S, 1.5 * DAY_S, 3.5 * DAY_S))
    programmed = lived(alone, materials).lived[life].refresh[:, COSTS.index("programmed")]
    subject = materials.subjects["soft"]
    devices = 2 * sum(w.numel() for w in subject.network.matrices().values())
    assert programmed.tolist() == [0, 0, devices, 2 * devices]


def test_the_same_chip_meets_every_temperature(unit, materials):
    """At the reference temperature, named twice, all numbers are equal."""
    twice = replace(materials, ambients={**materials.ambients, "again": materials.ambients["room"]})
    first, here = one(unit)
    second, again = one(unit, "again")
    np.testing.assert_array_equal(
        lived(here, twice).lived[first].metric, lived(again, twice).lived[second].metric
    )


def test_chips_are_drawn_independently(unit, materials):
    life, here = one(unit)
    other = replace(here, chip=1)
    assert (
        lived(here, materials).lived[life].metric != lived(other, materials).lived[life].metric
    ).any()


def test_a_life_that_fails_leaves_the_others_alone(unit, materials):
    """A temperature that is nowhere defined stands for whatever may go wrong in one life."""
    broken = Life("nowhere", "none", ("none",))
    outcome = run_unit(replace(unit, lives=(*unit.lives, broken)), materials)
    assert set(outcome.failed) == {broken}
    assert "nowhere" in outcome.failed[broken]
    whole = lived(unit, materials).lived
    for life in unit.lives:
        np.testing.assert_array_equal(outcome.lived[life].metric, whole[life].metric)


EVERY = ("none", "global", "column", "affine", "bias", "statistics", "reference_devices")


@pytest.mark.parametrize("refresh", ["none", "daily", "worst", "retrain"])
def test_no_compensation_changes_loss_or_cost_of_another(values, tmp_path, refresh):
    """With the closed loop too, in which programming takes time."""
    renewals = {
        "daily": {"every_s": DAY_S},
        "worst": {"every_s": DAY_S, "what": "worst"},
        "retrain": {"every_s": DAY_S, "what": "retrain"},
    }
    room = {"temperatures": {"room": {"celsius": 25.0}}, "hardware": {"programming": "verify"}}
    changes = room | {"refreshes": renewals, "cells": [{"compensation": list(EVERY)}]}
    materials = gather(survey(build_study(values | changes)), tmp_path)
    unit = replace(units_of(materials.study)[0], times_s=(1.0, 1.5 * DAY_S))
    life, together = one(unit, refresh=refresh, compensations=EVERY)
    whole = lived(together, materials).lived[life]
    for kind in ("global", "affine", "reference_devices"):
        single, alone = one(unit, refresh=refresh, compensations=(kind,))
        found, k = lived(alone, materials).lived[single], EVERY.index(kind)
        np.testing.assert_array_equal(found.metric[0], whole.metric[k])
        np.testing.assert_array_equal(found.calibration[0], whole.calibration[k])
        np.testing.assert_array_equal(found.commissioning[0], whole.commissioning[k])
        np.testing.assert_array_equal(found.refresh, whole.refresh)


def test_costs_are_those_of_a_small_network_counted_by_hand(unit, materials):
    """88-12-88 with two matrices: 88 + 12 one-hot vectors of 12 and 88 weights, 4,224 devices."""
    life, alone = one(unit, compensations=("none", "global"), times_s=(1.0, 60.0))
    found = lived(alone, materials).lived[life]
    assert found.calibration.tolist() == [[[0] * 4] * 2, [[100, 2112, 0, 0]] * 2]
    assert found.commissioning.tolist() == [[0] * 4, [4 * 100, 4 * 2112, 0, 0]]
    life, alone = one(unit, compensations=("reference_devices",), times_s=(1.0,))
    found = lived(alone, materials).lived[life]
    assert found.calibration.tolist() == [[[2 * 64, 2 * 64, 0, 0]]]
    assert found.commissioning.tolist() == [[4 * 128, 4 * 128, 2 * 2 * 64, 0]]


def test_a_loss_that_is_no_number_is_a_failure(unit, materials, monkeypatch):
    """It would drop out of every mean unseen."""
    life, alone = one(unit)

    def nowhere(self, *_):
        return math.nan, math.nan

    monkeypatch.setattr("pcmsim.studies.life.FirstProducts.evaluate", nowhere)
    assert "is nan at 1 s" in run_unit(alone, materials).failed[life]
