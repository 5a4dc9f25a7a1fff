"""Sets from pulses alone: what they hold, what they keep, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from programmed import drawn
from test_response import BOUND, ramps

from pcmsim.calibration.calibrate import Choices, calibrate, refuse
from pcmsim.calibration.records import (
    Campaign,
    Instrument,
    ProgrammingCurve,
    RepeatedReads,
    SetStaircases,
)
from pcmsim.calibration.response import fit_response
from pcmsim.calibration.response_start import start_entries
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


def started(g_start, reads, noise):
    """Ramps of 1 µS a pulse from `g_start` (n,), give or take 0.1, and their fit."""
    rng, n = np.random.default_rng(7), g_start.size
    g = g_start[:, None, None] + np.arange(9.0)[:, None] + rng.normal(0.0, 0.1, (n, 1, 1))
    g = g + noise * rng.standard_normal((n, 9, reads))
    data = SetStaircases(np.zeros(n, int), np.arange(n), np.arange(1.0, reads + 1.0), 10.0, g)
    return data, fit_response(data, ("constant",))


@pytest.mark.parametrize("reads", [1, 4])
def test_read_noise_is_no_spread_of_where_ramps_start(reads):
    """All start at 1 uS, give or take 0.1."""
    entries, lost = start_entries(started(np.ones(400), reads, 0.5)[1], "a file")
    # Of the variance of the reads, 0.25 / r, 400 ramps give 7 %, and the fit takes it off to 2 %.
    assert entries["reset_log_std"].value ** 2 < 0.01 + 3.0 * 0.25 / reads * 0.09
    assert entries["reset_median"].value == pytest.approx(1.0, abs=0.14)
    assert "less read noise of" in entries["reset_log_std"].source
    assert lost == ()


def test_the_spread_of_where_ramps_start_is_found_beside_read_noise():
    """Log-normal starts of spread 0.3: 400 of them give it to 5 %, four errors are 20 %."""
    g_start = 3.0 * np.exp(0.3 * np.random.default_rng(8).standard_normal(400))
    entries, _ = start_entries(started(g_start, 1, 0.8)[1], "a file")
    assert entries["reset_log_std"].value == pytest.approx(0.3, rel=0.2)


def test_ramps_that_start_unread_or_below_zero_are_counted():
    data, _ = started(np.full(400, -2.0), 1, 0.1)
    data.g[:3, 0] = np.nan
    entries, lost = start_entries(fit_response(data, ("constant",)), "a file")
    assert entries == {}
    assert [x.count for x in lost] == [3, 397]
    assert "have median -2.02 uS" in lost[1].reason


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
    levels, _ = drawn(np.random.default_rng(2), 30)
    campaign = Campaign(INSTRUMENT, staircases=staircases, reads=(reads,), levels=levels)
    found = calibrate(campaign, CHOICES)
    counts = {x.dataset: x.count for x in found.exclusions if "drift traces" in x.reason}
    assert counts == {"reads": 7, "levels": 30}


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
