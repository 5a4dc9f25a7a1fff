"""Virtual closed-loop programming against the loop of the devices and the physics."""

import numpy as np
import pytest
from campaigns import DEFAULT, campaign_of

from pcmsim.calibration.checks import campaign_faults
from pcmsim.calibration.virtual.reading import values_as_read
from pcmsim.config import build_plan
from pcmsim.devices import Verify, manufacture, write_verify
from pcmsim.errors import UsageError
from pcmsim.rng import key, stream

ALIKE = {"nu_std": {"constant": 0.0}, "read_noise": {"constant": 0.0}}
SOUND = {"p_stuck_reset": 0.0, "p_stuck_set": 0.0, "p_untunable": 0.0}


def levels_of(seed, parameter_set=DEFAULT, instrument=None, **plan):
    instrument = instrument or {}
    return campaign_of(seed, parameter_set, levels=plan, instrument=instrument).levels


def test_the_loop_takes_as_many_pulses_as_that_of_the_devices():
    """Verified at t0, where both start alike: mean pulses and accepted devices at 10 uS.

    4 standard errors. The loop of the devices knows no slow noise, which is switched off here.
    """
    sound = DEFAULT.with_values(**SOUND, read_noise={"constant": 0.0})
    plan = {"targets": [10.0], "devices_per_level": 8000, "verify_after_s": 20.0}
    found = levels_of(1, sound, {"adc_bits": None, "missing": 0.0}, **plan, read_after_s=[30.0])
    values = values_as_read(sound, build_plan({}).instrument)
    state = manufacture(values, (8000,), stream(5, "make"), np.float64)
    how = Verify("melt", wait_s=20.0)
    _, other = write_verify(values, state, np.full(8000, 10.0), 0.0, key(5, "verify"), how)
    difference = found.iterations.mean() - other.iterations.mean()
    stderr = np.sqrt((found.iterations.var() + other.iterations.var()) / 8000)
    assert abs(difference) < 4.0 * stderr
    assert found.converged.mean() == pytest.approx(other.converged.mean(), abs=0.003)


def test_accepted_reads_lie_in_the_window_and_the_last_read_of_others_does_not():
    found = levels_of(2, targets=[5.0, 15.0], devices_per_level=1000)
    inside = np.abs(found.g_verify - found.g_target) <= 0.8
    np.testing.assert_array_equal(inside, found.converged == 1)
    assert 0.97 < inside.mean() < 1.0
    assert (found.iterations[~inside] == 30).all()
    assert found.iterations.min() == 1


def test_devices_fall_below_their_target_as_they_age():
    """Without noise and spread of the exponent: g (t/t_v)^-nu of the read that was accepted."""
    alike = DEFAULT.with_values(**ALIKE, nu_mean={"constant": 0.05})
    plan = {"targets": [10.0], "devices_per_level": 200, "read_after_s": [1.0, 20.0]}
    found = levels_of(3, alike, {"adc_bits": None, "missing": 0.0}, **plan)
    done = found.converged == 1
    expected = found.g_verify[done, None] * (np.array([1.0, 20.0]) / 1e-3) ** -0.05
    np.testing.assert_allclose(found.g[done], expected, rtol=1e-6)
    assert found.g[done, 1].mean() == pytest.approx(6.1, abs=0.2)


def test_reads_are_counted_from_the_last_pulse_of_each_device():
    """Devices that needed many pulses are not older at their later reads than the others."""
    alike = DEFAULT.with_values(**ALIKE, nu_mean={"constant": 0.05})
    plan = {"targets": [10.0], "devices_per_level": 2000, "read_after_s": [0.002]}
    found = levels_of(4, alike, {"adc_bits": None, "missing": 0.0}, **plan)
    done = found.converged == 1
    ratio = found.g[done, 0] / found.g_verify[done]
    np.testing.assert_allclose(ratio, 2.0**-0.05, rtol=1e-6)
    assert found.iterations[done].max() > 5


def test_the_first_current_aims_at_the_conductance_of_the_verify_read():
    """Median after one pulse within 5 standard errors of the target, not of the target at t0."""
    plan = {"targets": [10.0], "devices_per_level": 4000, "max_iterations": 1}
    found = levels_of(8, DEFAULT.with_values(**SOUND), **plan)
    stderr = 1.2533 * found.g_verify.std() / np.sqrt(4000)
    assert abs(np.median(found.g_verify) - 10.0) < 5.0 * stderr
    assert 0.1 < found.converged.mean() < 0.5


def test_the_instrument_rounds_and_loses_later_reads_but_no_verify_read():
    instrument = {"adc_bits": 8, "full_scale_us": 25.5, "missing": 0.2}
    found = levels_of(5, DEFAULT, instrument, targets=[10.0], devices_per_level=500)
    assert np.isnan(found.g).mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / found.g.size))
    codes = found.g_verify / 0.1
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-9)


def test_levels_leave_all_other_measurements_as_they_were():
    drift = {"targets": [5.0], "devices_per_level": 30}
    both = campaign_of(6, drift=drift, levels={"devices_per_level": 20})
    alone = campaign_of(6, drift=drift)
    np.testing.assert_array_equal(both.drift[0].g, alone.drift[0].g)
    again = campaign_of(6, levels={"devices_per_level": 20}).levels
    np.testing.assert_array_equal(both.levels.g, again.g)
    assert list(campaign_faults(both)) == []


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"targets": [30.0]}, "levels.targets reach 30 uS, above g_max"),
        ({"read_after_s": [0.001, 1.0]}, "read_after_s must increase and begin after"),
        ({"verify_after_s": 1e-9}, "levels.verify_after_s = 1e-09 s is shorter than one read"),
        ({"tolerance_us": 0.0}, "levels.tolerance_us"),
        ({"targets": [0.0]}, "levels.targets"),
    ],
)
def test_a_plan_that_cannot_be_measured_is_refused(plan, message):
    with pytest.raises(UsageError, match=message):
        levels_of(0, **plan)
