"""Every kind of virtual measurement against what the physics says it must be."""

from dataclasses import fields

import numpy as np
import pytest
from campaigns import DEFAULT, NOTHING, campaign_of

from pcmsim.calibration.virtual import measure_campaign
from pcmsim.config import Hardware, build_plan
from pcmsim.crossbar.chip import Chip
from pcmsim.errors import UsageError
from pcmsim.jobs import measure

EXACT = {"adc_bits": None, "missing": 0.0}
SOUND = {"p_stuck_reset": 0.0, "p_stuck_set": 0.0, "p_untunable": 0.0}
SILENT = SOUND | {"read_noise": {"constant": 0.0}}
# All devices alike, so that nothing but read noise is left.
ALIKE = SOUND | {
    "programming_std": {"constant": 0.0},
    "nu_mean": {"constant": 0.0},
    "nu_std": {"constant": 0.0},
}
LEVEL = {"targets": [5.0], "devices_per_level": 20_000, "programmings": 1}
DAY, FOUR_DAYS = 86_400.0, 345_600.0


def exact(seed, values, **sections):
    """A campaign with an exact instrument, on a chip with some values replaced."""
    return campaign_of(seed, DEFAULT.with_values(**values), instrument=EXACT, **sections)


def between(first_s, last_s, count=2):
    return {"first_s": first_s, "last_s": last_s, "count": count}


@pytest.mark.parametrize(
    ("t_s", "factor"), [(3600.0, 0.77605), (DAY, 0.66630), (FOUR_DAYS, 0.62382)]
)
def test_the_mean_falls_as_the_expectation_of_the_power(t_s, factor):
    """E[(t/20 s)^-nu] at 5 uS by quadrature, within 4 standard errors; spreads of nu included."""
    g = exact(11, SILENT, drift=LEVEL | {"times": between(20.0, t_s)}).drift[0].g[:, 1]
    assert abs(g.mean() - 5.0 * factor) < 4.0 * g.std() / np.sqrt(g.size)


def test_without_noise_a_device_falls_as_a_power_of_its_age():
    """The slope of ln G over ln t is one number for each device, to rounding."""
    part = exact(12, SILENT, drift=LEVEL | {"times": between(20.0, FOUR_DAYS, 6)}).drift[0]
    slopes = np.diff(np.log(part.g), axis=1) / np.diff(np.log(part.t_s))
    np.testing.assert_allclose(slopes, slopes[:, :1] * np.ones(5), rtol=0.0, atol=1e-9)
    assert -slopes[:, 0].mean() == pytest.approx(0.04935, abs=4 * 0.01422 / np.sqrt(20_000))


def test_half_of_the_exponent_stays_when_a_device_is_programmed_again():
    """Correlation of two exponents at 10 uS, where none is cut off: nu_device_share."""
    level = {"targets": [10.0], "devices_per_level": 20_000, "programmings": 2}
    part = exact(13, SILENT, drift=level | {"times": between(20.0, DAY)}).drift[0]
    nu = -np.log(part.g[:, 1] / part.g[:, 0]) / np.log(DAY / 20.0)
    first, second = nu[part.programming == 0], nu[part.programming == 1]
    np.testing.assert_array_equal(*(part.device[part.programming == k] for k in (0, 1)))
    rho = np.corrcoef(first, second)[0, 1]
    assert abs(rho - 0.5) < 4.0 * (1.0 - 0.5**2) / np.sqrt(first.size)


@pytest.mark.parametrize("t_s", [20.0, FOUR_DAYS])
def test_read_noise_grows_with_the_logarithm_of_the_age(t_s):
    """Var G = Q² G² ln(t / 2 t_r) with Q = 0.02505 at 5 uS, counted from the last pulse."""
    g = exact(14, ALIKE, drift=LEVEL | {"times": between(t_s, 2.0 * t_s)}).drift[0].g[:, 0]
    noise = ((g - 5.0) / (0.02505 * 5.0)) ** 2
    expected = np.log(t_s / 5e-7)
    assert abs(noise.mean() - expected) < 4.0 * noise.std() / np.sqrt(g.size) + 1e-3 * expected


def test_the_second_programming_starts_the_noise_again():
    level = LEVEL | {"programmings": 2, "times": between(20.0, FOUR_DAYS)}
    part = exact(15, ALIKE, drift=level).drift[0]
    for programming in (0, 1):
        g = part.g[part.programming == programming, 0]
        noise = ((g - 5.0) / (0.02505 * 5.0)) ** 2
        spread = 4.0 * noise.std() / np.sqrt(g.size) + 0.02
        assert abs(noise.mean() - np.log(20.0 / 5e-7)) < spread
    last = [part.g[part.programming == 0, 1], part.g[part.programming == 1, 0]]
    assert abs(np.corrcoef(*last)[0, 1]) < 4.0 / np.sqrt(LEVEL["devices_per_level"])


def test_repeated_reads_have_the_structure_function_of_the_spectrum():
    """E[(y(t + tau) - y(t))²] = 2 Q² G² ln(tau / 2 t_r) in a 1/f band, from old devices."""
    reads = {"targets": [5.0], "devices_per_level": 20_000, "after_s": 1e6}
    for interval_s in (1.0, 100.0):
        measured = exact(16, ALIKE, reads=reads | {"count": 2, "interval_s": interval_s}).reads[0]
        squares = (np.diff(measured.g, axis=1)[:, 0] / (0.02505 * 5.0)) ** 2
        expected = 2.0 * np.log(interval_s / 5e-7)
        spread = 4.0 * squares.std() / np.sqrt(squares.size) + 1e-3 * expected
        assert abs(squares.mean() - expected) < spread


def test_the_campaign_reads_what_a_simulated_chip_reads():
    """Mean and spread of 20,000 devices an hour after the pulse, within 4 standard errors."""
    g = exact(17, SOUND, drift=LEVEL | {"times": between(3600.0, 7200.0)}).drift[0].g[:, 0]
    chip = Chip(Hardware(), 17, parameter_set=DEFAULT.with_values(**SOUND))
    chip.allocate("w", (100, 100))
    chip.write("w", np.full((2, 1, 100, 100), 5.0))
    chip.clock.wait(3580.0)  # the set counts from the read at t0, 20 s after the pulse
    other = chip.read("w").astype(np.float64).ravel()
    stderr = np.hypot(g.std(), other.std()) / np.sqrt(20_000)
    assert abs(g.mean() - other.mean()) < 4.0 * stderr
    assert abs(g.std() - other.std()) < 4.0 * stderr / np.sqrt(2.0)


def test_a_staircase_climbs_as_published():
    """Means and spreads after 1 to 20 pulses of an independent simulation of 1e6 devices (J2).

    Without drift between pulses, device factors and spread of RESET, as that simulation has them.
    """
    published = {1: (2.053, 1.519), 2: (3.429, 1.969), 5: (5.913, 2.377), 20: (9.401, 2.664)}
    alike = SILENT | {"set_device_std": 0.0, "reset_log_std": 0.0, "set_nu_std": 0.0}
    plan = {"devices": 10_000, "pulses": 20, "cycles": 2, "interval_s": 20.0}
    stairs = exact(18, alike, staircase=plan | {"read_after_s": [10.0, 19.999]}).staircases
    g = stairs.g[..., 1]
    assert stairs.g.shape == (20_000, 21, 2)
    np.testing.assert_allclose(g[:, 0], 0.1, rtol=1e-3)
    for pulse, (mean, std) in published.items():
        stderr = std / np.sqrt(20_000)
        assert abs(g[:, pulse].mean() - mean) < 4.0 * stderr + 0.003
        assert abs(g[:, pulse].std() - std) < 4.0 * stderr / np.sqrt(2.0) + 0.003
    ratio = stairs.g[:, 1:, 0] / stairs.g[:, 1:, 1]
    np.testing.assert_allclose(ratio, (19.999 / 10.0) ** 0.04, rtol=1e-6)


def test_set_devices_drift_with_their_own_exponent():
    plan = {"devices": 5000, "pulses": 5, "interval_s": 20.0, "times": between(20.0, DAY)}
    part = exact(19, SILENT, set_drift=plan).set_drift
    nu = -np.log(part.g[:, 1] / part.g[:, 0]) / np.log(DAY / 20.0)
    assert abs(nu.mean() - 0.04) < 4.0 * 0.01 / np.sqrt(nu.size)
    assert np.all(part.g_target == 0.0)


def test_a_curve_without_spread_is_the_melting_curve():
    """f(I) = 1.2 g_max / (1 + exp((I - 300 uA) / 40 uA)), 20 s after the pulse, in every sweep."""
    melt = DEFAULT.entries["melt_curve"].value
    flat = melt | {"device_std_ua": 0.0, "cycle_std": 0.0, "noise_std_us": 0.0}
    curve = exact(20, SILENT | {"melt_curve": flat}, curve={"devices": 3, "count": 7}).curve
    expected = 30.0 / (1.0 + np.exp((curve.amplitude - 300.0) / 40.0))
    np.testing.assert_allclose(curve.g, np.tile(expected, (6, 1)), rtol=1e-12)
    np.testing.assert_array_equal(curve.sweep, [0, 0, 0, 1, 1, 1])


def test_the_yield_map_holds_the_faults_of_the_set():
    """Devices that move from RESET to g_max are the working ones, 99 % of the set."""
    yields = campaign_of(21, yields={"rows": 128, "columns": 256}).yields
    n = 128 * 256
    assert np.all(yields.row * 256 + yields.column == np.arange(n))
    still = np.nanmean(yields.g_max - yields.g_min < 5.0)
    lost = np.isnan(yields.g_min) | np.isnan(yields.g_max)
    stderr = np.sqrt(0.01 * 0.99 / n)
    assert abs(still / (1.0 - lost.mean()) - 0.01) < 4.0 * stderr
    assert np.nanmedian(yields.g_min) == pytest.approx(0.1, rel=0.05)


def test_devices_that_do_not_follow_are_told_apart():
    level = {"targets": [5.0], "devices_per_level": 20_000, "programmings": 1}
    part = campaign_of(22, drift=level).drift[0]
    assert abs(np.mean(~part.converged) - 0.01) < 4.0 * np.sqrt(0.01 * 0.99 / 20_000)
    assert np.nanstd(part.g[part.converged, 0]) < 0.9


def test_reads_do_not_leave_the_range_of_the_converter():
    plan = {"targets": [0.0, 25.0], "devices_per_level": 2000, "programmings": 1}
    noisy = {"full_scale_us": 26.0, "noise_std_us": 1.0}
    parts = campaign_of(23, drift=plan, instrument=noisy).drift
    assert np.nanmin(parts[0].g) == 0.0
    assert np.nanmax(parts[1].g) == pytest.approx(26.0)


SECTIONS = {
    "drift": {"targets": [5.0], "devices_per_level": 40},
    "reads": {"targets": [5.0], "devices_per_level": 20, "count": 8},
    "staircases": {"devices": 20},
    "set_drift": {"devices": 20},
    "curve": {"devices": 20},
    "yields": {"rows": 8, "columns": 8},
}


def _measured(seed, *members):
    names = {"staircases": "staircase"}
    return campaign_of(seed, **{names.get(member, member): SECTIONS[member] for member in members})


@pytest.mark.parametrize("member", SECTIONS)
def test_no_section_moves_another(member):
    """Bit for bit, all kinds at once and one alone; another seed is another chip."""
    together, alone = _measured(24, *SECTIONS), _measured(24, member)
    _same(getattr(together, member), getattr(alone, member))
    with pytest.raises(AssertionError):
        _same(getattr(_measured(25, member), member), getattr(alone, member))


@pytest.mark.parametrize("member", SECTIONS)
def test_another_seed_makes_other_devices(member):
    """Not only other noise: without any, and with an exact instrument, reads differ still."""
    names = {"staircases": "staircase"}
    section = {names.get(member, member): SECTIONS[member]}
    one, other = (getattr(exact(seed, SILENT, **section), member) for seed in (24, 25))
    with pytest.raises(AssertionError):
        _same(one, other)


def _same(one, other):
    if isinstance(one, tuple):
        one, other = one[0], other[0]
    for field in fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_a_part_that_is_null_is_not_measured():
    campaign = measure_campaign(DEFAULT, build_plan(NOTHING), 0)
    absent = (campaign.set_drift, campaign.staircases, campaign.curve, campaign.yields)
    assert absent == (None,) * 4
    assert campaign.drift == campaign.reads == ()


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"curve": {"last_ua": 500.0}}, "curve.last_ua = 500 uA must lie within 150 ... 450 uA"),
        ({"curve": {"first_ua": 100.0}}, "curve.first_ua = 100 and"),
        ({"instrument": {"full_scale_us": 10.0}}, "full_scale_us = 10 uS cuts off reads below"),
        ({"reads": {"interval_s": 1e-9}}, "reads.interval_s = 1e-09 s is shorter than one read"),
        ({"drift": {"times": {"last_s": 1e15}}}, "drift.times.last_s = .* less than or equal to"),
        ({"yields": {"after_s": 1e12}}, "yields.after_s = .* less than or equal to"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_any_device_is_made(
    sections, message, monkeypatch
):
    kinds = ("drift_parts", "repeated_reads", "set_staircases", "set_drift", "programming_curve")
    for kind in (*kinds, "yield_map"):
        monkeypatch.setattr(f"pcmsim.calibration.virtual.campaign.{kind}", None)
    with pytest.raises(UsageError, match=message):
        measure_campaign(DEFAULT, build_plan(sections), 0)


def test_a_refused_plan_leaves_the_file_that_was_there(tmp_path):
    out = tmp_path / "campaign.h5"
    out.write_bytes(b"of another day")
    with pytest.raises(UsageError, match="melting curve"):
        measure("pcm-gst-90nm", build_plan({"curve": {"last_ua": 500.0}}), out)
    assert out.read_bytes() == b"of another day"
    assert [path.name for path in tmp_path.iterdir()] == ["campaign.h5"]
