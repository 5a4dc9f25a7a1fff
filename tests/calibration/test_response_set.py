"""Sets from pulses alone: what they hold, what they keep, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from test_response import BOUND, ramps

from pcmsim.calibration.calibrate import Choices, calibrate, refuse
from pcmsim.calibration.records import Campaign, Instrument, ProgrammingCurve, RepeatedReads
from pcmsim.devices import apply_set, load_parameter_set, manufacture, parameter_set_text
from pcmsim.devices.params import PULSE_ENTRIES
from pcmsim.errors import DataError, UsageError
from pcmsim.rng import stream

INSTRUMENT = Instrument(t_read_s=1e-3)
CHOICES = Choices("ramps", base="ideal")


@pytest.fixture(scope="module")
def staircases():
    return ramps(BOUND, 1, 20, 40, np.random.default_rng(0))


@pytest.fixture(scope="module")
def calibration(staircases):
    return calibrate(Campaign(INSTRUMENT, staircases=staircases), CHOICES)


def test_pulses_of_the_set_climb_like_those_that_were_measured(calibration, staircases):
    refuse(calibration)
    values = calibration.parameter_set.values
    state = manufacture(values, (4000,), stream(0, "make"))
    state = replace(state, g=np.full(4000, 10.0, dtype=np.float32))
    for pulses in (10, 20):
        climbed = apply_set(values, state, np.full(4000, pulses), 0.0, stream(pulses, "set")).g
        measured = staircases.g[:, pulses, 0]
        measured = measured[np.isfinite(measured)]
        # Five standard errors of the mean of some twenty ramps, which also start 1 µS apart.
        assert climbed.mean() == pytest.approx(
            measured.mean(), abs=5.0 * measured.std() / np.sqrt(measured.size)
        )


def test_what_was_not_measured_is_kept_and_named(calibration):
    entries = calibration.parameter_set.entries
    assert entries["nu_mean"].source.startswith("not measured, kept from ideal")
    named = {lost.entry for lost in calibration.unidentified}
    assert {"nu_mean", "read_noise", "melt_curve", "set_device_std"} <= named
    assert not named & {"set_pulse", "set_g_min", "set_g_max", "reset_median", "t_read_s"}
    assert calibration.fits is None


def test_the_set_begins_and_ends_where_the_ramps_did(calibration, staircases):
    values = calibration.parameter_set.values
    assert values.reset_median == pytest.approx(10.0, abs=1.3)  # five standard errors
    assert values.set_g_max == values.g_max == np.nanmax(staircases.g)
    assert values.set_g_min == np.nanmin(staircases.g)
    assert set(calibration.parameter_set.entries["set_pulse"].stderr) >= {"mean_slope"}
    assert 0.0 not in calibration.parameter_set.entries["set_pulse"].stderr.values()


def test_falling_ramps_are_refused_but_fitted(staircases):
    falling = replace(staircases, g=100.0 - staircases.g)
    found = calibrate(Campaign(INSTRUMENT, staircases=falling), CHOICES)
    assert found.response is not None
    with pytest.raises(DataError, match="pulses lower the conductance"):
        refuse(found)


def test_a_curve_in_volts_is_tabulated_but_no_set():
    g = np.exp(np.random.default_rng(1).normal(1.0, 0.1, (30, 4)))
    curve = ProgrammingCurve(np.zeros(30, int), np.arange(30), np.arange(1.0, 5.0), 1.0, g, "V")
    found = calibrate(Campaign(INSTRUMENT, curve=curve), CHOICES)
    assert found.sweeps is not None
    assert found.sweeps.n.tolist() == [30] * 4
    with pytest.raises(DataError, match="amplitudes are voltages"):
        refuse(found)


def test_other_measurements_without_drift_traces_are_counted(staircases):
    reads = RepeatedReads(np.arange(7), np.ones(7), np.ones(7), 1.0, np.ones((7, 50)))
    found = calibrate(Campaign(INSTRUMENT, staircases=staircases, reads=(reads,)), CHOICES)
    assert ("reads", 7) in [(x.dataset, x.count) for x in found.exclusions]


def test_nothing_to_fit_and_a_base_without_pulses_are_refused(staircases, tmp_path):
    with pytest.raises(DataError, match="drift: there are no traces"):
        calibrate(Campaign(INSTRUMENT), CHOICES)
    ideal = load_parameter_set("ideal")
    entries = {name: x for name, x in ideal.entries.items() if name not in PULSE_ENTRIES}
    path = tmp_path / "without.yaml"
    path.write_text(parameter_set_text(replace(ideal, entries=entries)), encoding="utf-8")
    without = Choices("ramps", base=str(path))
    with pytest.raises(UsageError, match="no pulse model to complete"):
        calibrate(Campaign(INSTRUMENT, staircases=staircases), without)
