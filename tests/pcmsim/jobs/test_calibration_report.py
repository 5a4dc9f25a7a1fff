"""The page of a calibration, made from a small virtual campaign."""

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pcmsim.calibration.array_error import ArrayError
from pcmsim.calibration.bootstrap import Bootstrapped
from pcmsim.calibration.calibrate import Choices, calibrate, refuse
from pcmsim.calibration.distributions import compare
from pcmsim.calibration.estimate import Estimate
from pcmsim.calibration.left_out import LeftOut
from pcmsim.calibration.noise_model import NoiseModel
from pcmsim.calibration.pairwise import pairwise
from pcmsim.calibration.records import (
    Campaign,
    DriftTraces,
    Instrument,
    ProgrammingCurve,
    SetStaircases,
)
from pcmsim.calibration.relaxation_set import calibrate_relaxation
from pcmsim.calibration.staircase import NAMES, StaircaseFit
from pcmsim.calibration.staircase_moments import Protocol, StaircaseModel
from pcmsim.calibration.structure import StructureFit, differentiate, fit_structure
from pcmsim.calibration.validation import Validation
from pcmsim.cli import calibrate as command
from pcmsim.cli.main import app
from pcmsim.config import load_plan
from pcmsim.devices import load_parameter_set
from pcmsim.devices.laws import ClippedPower
from pcmsim.errors import DataError, UsageError
from pcmsim.jobs import Order, calibrate_files, fit_files, measure
from pcmsim.jobs.calibration_bands import delta_stderr, law_stderr, moments
from pcmsim.jobs.calibration_laws import averaged_amplitude
from pcmsim.jobs.calibration_pulses import staircase_section
from pcmsim.jobs.calibration_reads import binned
from pcmsim.jobs.calibration_report import (
    calibration_report,
    check_report_folder,
    write_calibration_report,
)
from pcmsim.jobs.calibration_validation import validation_records
from pcmsim.report.calibration_page import render
from pcmsim.report.calibration_records import CalibrationReport, Map

SMALL = (
    "drift.targets=[0.0,0.7,3.5,10.0,25.0]",
    "drift.devices_per_level=200",
    "drift.times.count=12",
    "reads.targets=[3.5,10.0]",
    "reads.devices_per_level=40",
    "reads.count=128",
    "staircase=null",
    "set_drift.devices=100",
    "set_drift.times.count=10",
    "curve.devices=100",
    "curve.count=12",
    "yields.rows=128",
)
BASE = load_parameter_set("pcm-gst-90nm")
DATE = "2026-01-02"


def words(page: str) -> str:
    page = re.sub(r"<svg.*?</svg>|<style>.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("lab") / "campaign.h5"
    measure("pcm-gst-90nm", load_plan(None, SMALL), path, seed=1)
    return path


@pytest.fixture(scope="module")
def fitted(lab):
    return fit_files(Order([lab], "my-chip", DATE), lab.parent / "a.yaml")


@pytest.fixture(scope="module")
def report(fitted) -> CalibrationReport:
    return calibration_report(*fitted, BASE, DATE)


def section(report: CalibrationReport, title: str):
    (found,) = (s for s in report.sections if s.title == title)
    return found


def test_every_effect_that_was_measured_has_a_section(report):
    assert [s.title for s in report.sections] == [
        "Goodness of fit",
        "Parameters",
        "Drift of the levels",
        "Programming spread",
        "Drift exponent",
        "Read noise",
        "Repeated reads",
        "Drift after SET",
        "Programming curve",
        "Closed-loop programming",
        "Faults",
        "Left out",
        "Not identified",
        "Sources",
    ]


def test_effects_that_were_not_measured_have_none(fitted):
    calibration, sources = fitted
    fits = replace(
        calibration.fits,
        noise=None,
        faults=None,
        pulses=replace(calibration.fits.pulses, set_drift=None, curve=None),
    )
    noise_law = fits.noise_law
    fewer = replace(
        noise_law, g=noise_law.g[:5], found=noise_law.found[:5], stderr=noise_law.stderr[:5]
    )
    fits = replace(fits, noise_law=fewer)
    titles = [
        s.title
        for s in calibration_report(replace(calibration, fits=fits), sources, BASE, DATE).sections
    ]
    assert not {"Repeated reads", "Faults", "Drift after SET", "Programming curve"} & set(titles)
    assert "Read noise" in titles


def test_levels_show_the_data_the_fit_and_the_set(fitted, report):
    calibration, _ = fitted
    figure = section(report, "Drift of the levels").figures[0]
    assert [p.title for p in figure.panels] == ["RESET", "0.7 µS", "3.5 µS", "10 µS", "25 µS"]
    for panel, check, level in zip(
        figure.panels, calibration.checks, calibration.fits.drift.levels, strict=True
    ):
        data, fit, of_set = panel.series
        np.testing.assert_array_equal(data.y, check.mean)
        np.testing.assert_allclose(data.stderr, check.mean_stderr)
        np.testing.assert_array_equal(fit.y, level.solution.point.mean)
        np.testing.assert_array_equal(of_set.y, check.predicted_mean)
        assert np.all((fit.low < fit.y) & (fit.y < fit.high))


def test_residual_maps_are_deviations_in_standard_errors(fitted, report):
    calibration, _ = fitted
    maps = [f for f in section(report, "Drift of the levels").figures if isinstance(f, Map)]
    check = calibration.checks[3]
    expected = (check.mean - check.predicted_mean) / check.mean_stderr
    np.testing.assert_allclose(maps[0].values[3], expected)
    assert maps[0].rows[3] == "10 µS"
    assert maps[0].columns[-1] == "4 d"


def test_the_parameter_table_has_value_error_and_base_of_each_coefficient(fitted, report):
    entries = fitted[0].parameter_set.entries
    rows = section(report, "Parameters").tables[0].rows
    at = [row[0] for row in rows].index("nu_mean")
    for i, name in enumerate(("slope", "intercept", "low", "high")):
        row = rows[at + i]
        assert row[1] == name
        assert row[2] == entries["nu_mean"].value[name]
        assert row[3] == entries["nu_mean"].stderr[name]
        assert row[5] == BASE.entries["nu_mean"].value[name]
    kept = [row[0] for row in section(report, "Parameters").tables[1].rows]
    assert "wear_scale" in kept
    assert len({*kept, *(row[0] for row in rows)} - {""}) == len(entries)


def test_exclusions_and_what_is_not_identified_are_all_told(fitted, report):
    calibration, _ = fitted
    left = section(report, "Left out").tables[0].rows
    assert [(row[0], row[1], row[3]) for row in left] == [
        (x.dataset, x.count, x.reason) for x in calibration.exclusions
    ]
    lost = section(report, "Not identified").tables[0].rows
    assert ("wear_scale", "cycling until devices fail") in [(row[0], row[2]) for row in lost]
    assert len(lost) == len(calibration.unidentified)


def test_sources_name_the_file_with_its_whole_hash(fitted, report):
    files, about = section(report, "Sources").tables
    (source,) = fitted[1]
    assert files.rows[0][:4] == (source.name, "hdf5", source.size, source.sha256)
    assert ("calibrated", DATE) in about.rows


def test_held_out_scores_are_those_of_the_choice(fitted, report):
    choice = fitted[0].fits.laws["nu_std"]
    rows = [r for r in section(report, "Drift exponent").tables[0].rows if r[0] == "nu_std"]
    assert [row[1] for row in rows] == list(choice.forms)
    assert [row[2] for row in rows] == pytest.approx(choice.scores)
    assert [row[1] for row in rows if row[3] == "kept"] == [choice.kept.form]


def test_the_noise_law_averaged_over_a_level_goes_through_what_was_fitted(fitted):
    fits = fitted[0].fits
    law = fits.noise_law
    residuals = (law.found - averaged_amplitude(fits)) / law.stderr
    assert np.sqrt(np.mean(residuals**2)) < 1.6  # seven points, three parameters
    # Levels at which devices differ widely; elsewhere the law at their mean would do.
    ratio = averaged_amplitude(fits) / law.law(law.g)
    assert ratio[1] < 0.97
    assert ratio[4:] == pytest.approx(1.0, abs=0.01)


def test_the_page_is_one_file_with_finite_numbers_and_json_beside_it(fitted, tmp_path):
    page = write_calibration_report(*fitted, BASE, DATE, tmp_path / "page")
    text = page.read_text(encoding="utf-8")
    assert 100_000 < len(text) < 1_000_000
    assert not re.search(r"(?<![A-Za-z])(nan|inf|NaN)(?![A-Za-z])", text)
    numbers = json.loads((tmp_path / "page" / "calibration.json").read_text())["numbers"]
    entries = fitted[0].parameter_set.entries
    assert list(numbers["entries"]) == list(entries)
    assert numbers["entries"]["nu_mean"]["stderr"] == entries["nu_mean"].stderr
    assert not numbers["refused"]
    assert numbers["sources"][0]["sha256"] == fitted[1][0].sha256


def test_hostile_names_are_escaped(fitted):
    calibration, sources = fitted
    hostile = replace(calibration.parameter_set, name="<script>alert(1)</script>")
    base = replace(BASE, name="<script>alert(2)</script>")
    named = [replace(source, name="<script>alert(3)</script>") for source in sources]
    changed = replace(calibration, parameter_set=hostile)
    page = render(calibration_report(changed, named, base, DATE))
    assert "<script" not in page
    for number in (1, 2, 3):
        assert f"&lt;script&gt;alert({number})&lt;/script&gt;" in page


def test_a_refused_set_gets_a_page_and_ends_in_the_error(lab, fitted, tmp_path, monkeypatch):
    fault = "at 10 uS and 60 s the mean is 9 +- 0.1 uS, the set gives 8 uS"
    bad = replace(fitted[0], faults=(fault,))
    monkeypatch.setattr("pcmsim.jobs.calibrate.fit_files", lambda order, out, **_: (bad, fitted[1]))
    out, folder = tmp_path / "a.yaml", tmp_path / "page"
    with pytest.raises(DataError, match="does not reproduce its own data"):
        calibrate_files(Order([lab], "my-chip", DATE), out, folder)
    assert not out.exists()
    text = words((folder / "report.html").read_text())
    assert text.index("Refused") < text.index(fault) < text.index("Goodness of fit")
    assert json.loads((folder / "calibration.json").read_text())["faults"] == [fault]
    with pytest.raises(DataError):
        refuse(bad)


def test_without_a_folder_no_page_is_written(lab, fitted, tmp_path, monkeypatch):
    monkeypatch.setattr("pcmsim.jobs.calibrate.fit_files", lambda order, out, **_: fitted)
    calibrate_files(Order([lab], "my-chip", DATE), tmp_path / "a.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


@pytest.mark.parametrize("folder", ["file", "file/below", "made/deeper"])
def test_a_folder_that_cannot_be_written_is_one_usage_error(folder, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "made" / "deeper" / "report.html").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"^--report .* name (a folder|another)"):
        check_report_folder(tmp_path / folder)


def test_a_bad_folder_is_refused_by_the_command_before_any_fit(tmp_path):
    (tmp_path / "file").write_text("")
    order = ["calibrate", str(tmp_path / "missing.h5"), "--name", "a", "--out", "a.yaml"]
    done = CliRunner().invoke(app, [*order, "--report", str(tmp_path / "file")])
    assert isinstance(done.exception, UsageError)
    assert "is a file; name a folder" in str(done.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_good_folder_is_left_as_it_was(tmp_path):
    check_report_folder(tmp_path / "new" / "below")
    assert not list(tmp_path.iterdir())


def test_bands_of_a_law_follow_from_its_covariance(fitted):
    fit = fitted[0].fits.laws["nu_mean"].kept
    g = fit.g[fit.g > 0.0]
    draws = np.random.default_rng(3).multivariate_normal(
        fit.regression.estimate.values, fit.regression.estimate.covariance, 4000
    )
    if fit.form == "clipped logarithm":
        inside = [np.clip(d[0] * np.log(g) + d[1], d[2], max(d[2], d[3])) for d in draws]
    else:
        inside = [np.full(g.size, d[0]) for d in draws]
    # At a hinge the law is not linear in its coefficients; elsewhere 4000 draws tell 3 %.
    ratio = law_stderr(fit, g) / np.std(inside, axis=0)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.05)


def test_the_test_of_the_means_has_the_stated_degrees_of_freedom():
    """Gaussian rows, 200 times: χ² has the mean of its degrees of freedom, within 4 s.e."""
    rng = np.random.default_rng(8)
    x = np.linspace(0.0, 1.0, 6)
    ones, eye = np.ones((6, 6)), np.eye(6)

    def model(theta):
        return theta[0] + theta[1] * x, theta[2] * ones + theta[3] * eye

    found = []
    for _ in range(200):
        rows = 2.0 + x + rng.normal(0.0, 0.5, (80, 1)) + rng.normal(0.0, 0.3, (80, 6))
        fit = fit_structure(rows, model, np.array([1.5, 0.5, 0.2, 0.1]), ("a", "b", "c", "d"))
        found.append(moments(fit.sums, fit.point, fit.estimate))
    assert found[0].freedom == pytest.approx(4.0, abs=1e-6)  # both parameters of the mean
    stderr = np.std([f.chi_square for f in found]) / np.sqrt(200)
    assert abs(np.mean([f.chi_square for f in found]) - 4.0) < 4.0 * stderr
    share = np.mean([f.p_value < 0.1 for f in found])
    assert abs(share - 0.1) < 4.0 * np.sqrt(0.09 / 200)


def test_the_delta_method_gives_the_error_of_a_ratio():
    values, covariance = np.array([4.0, 2.0]), np.array([[0.04, 0.01], [0.01, 0.09]])
    expected = np.sqrt(0.04 / 4 + 0.09 * 1.0 - 2 * 0.5 * 1.0 * 0.01)
    found = delta_stderr(lambda theta: theta[:1] / theta[1:], values, covariance)
    assert found == pytest.approx([expected], rel=1e-5)


def test_binned_spectra_hold_the_variance_of_the_reads(fitted):
    burst = fitted[0].fits.noise.levels[1]
    f, power, stderr, fit, fit_stderr = binned(burst, 1.0)
    p = burst.periodograms
    n = p.window.size
    # Parseval: the variance of a record is twice the sum of |Σ|²/n² over positive frequencies.
    variance = 2.0 * p.power.mean(axis=0).sum() / n
    density = np.interp(p.frequency_hz, f, power)
    assert np.sum(density) / (n * p.interval_s) == pytest.approx(variance, rel=0.1)
    assert np.all(np.abs(power - fit) < 5.0 * stderr)
    assert np.all(fit_stderr < 2.0 * stderr)


def staircase() -> StaircaseFit:
    """A staircase at the truth that made its moments, without a fit."""
    law = BASE.values.set_pulse
    noise = NoiseModel(ClippedPower(0.0088, -0.65, 0.2), 25.0)
    reads = np.array([15.0, 20.0])
    protocol = Protocol(4, 2, reads, 25.0, 20.0, 0.1, 0.04, 0.1, 0.5, 0.1, 20.0, noise, 1e-5)
    theta = np.array([getattr(law, name) for name in NAMES[:7]] + [0.2])
    model = StaircaseModel(protocol)
    mean, covariance = model(theta)
    rows = np.random.default_rng(2).multivariate_normal(mean, covariance, 400)
    point = differentiate(model, theta, np.full(8, 0.1))
    sums = pairwise(rows)
    spread = np.linalg.pinv(point.information, hermitian=True) / sums.n
    estimate = Estimate(NAMES, theta, spread, sums.n)
    return StaircaseFit(estimate, StructureFit(estimate, sums, point), protocol, theta, ())


def test_a_staircase_shows_each_cycle_and_read_where_it_belongs():
    fit = staircase()
    found = staircase_section(fit, BASE)
    mean, _, residuals, law = found.figures
    titles = [f"cycle {c}, read after {t} s" for c in (1, 2) for t in (15, 20)]
    assert [panel.title for panel in mean.panels] == titles
    sums = fit.structure.sums.mean
    np.testing.assert_array_equal(mean.panels[1].series[0].y, sums[1:8:2])
    np.testing.assert_array_equal(mean.panels[2].series[0].y, sums[8::2])
    z = np.concatenate([panel.series[0].y for panel in residuals.panels[:4]])
    assert np.sqrt(np.mean(z**2)) < 2.0
    assert [panel.title for panel in law.panels] == [
        f"pulse {p}, {what}" for what in ("mean", "standard deviation") for p in (1, 3)
    ]
    fitted_line, other = law.panels[0].series
    np.testing.assert_allclose(fitted_line.y, other.y)  # the base set made them
    g, value = fitted_line.x[10], fitted_line.y[10]
    pulse = BASE.values.set_pulse
    memory = pulse.mean_memory * np.exp(-1.0 / pulse.memory_pulses)
    assert value == pytest.approx(pulse.mean_slope * g + pulse.mean_offset + memory)


def test_validation_shows_what_there_is_and_nothing_else():
    assert validation_records((), (), (), ()) == []
    rng = np.random.default_rng(4)
    model = rng.normal(10.0, 1.0, 20_000)
    good = [compare("10 µS", t, rng.normal(10.0, 1.0, 400), model) for t in (20.0, 3600.0)]
    bad = compare("25 µS", 20.0, rng.normal(11.0, 1.0, 400), model)
    sections = validation_records((*good, bad), (), (), ())
    (found,) = sections
    quantiles, p_map = found.figures
    assert "1 reject" in found.text
    assert [p.title for p in quantiles.panels] == ["10 µS", "25 µS"]
    np.testing.assert_array_equal(quantiles.panels[0].series[1].x, good[1].predicted)
    np.testing.assert_array_equal(quantiles.panels[0].series[1].y, good[1].found)
    assert p_map.values[0] == pytest.approx([-np.log10(x.p_value) for x in good])
    assert p_map.values[1][0] > 10.0
    assert np.isnan(p_map.values[1][1])


def test_what_was_tested_and_what_was_not_reaches_page_numbers_and_console(fitted, tmp_path):
    skipped = ("array: the held-out devices make fewer than 8 arrays", "10 uS at 60 s: no read")
    made = Validation(1234, (), -5678.4, 91.2, (), (), (), skipped)
    tested = replace(fitted[0], validation=made)
    page = write_calibration_report(tested, fitted[1], BASE, DATE, tmp_path)
    text = words(page.read_text())
    assert "1,234 devices were kept" in text
    assert "−5,678 ± 91 (standard error" in text
    assert all(line in text for line in skipped)
    numbers = json.loads((tmp_path / "calibration.json").read_text())["numbers"]
    assert numbers["validation"] == {
        "held_out": 1234,
        "likelihood": -5678.4,
        "likelihood_stderr": 91.2,
        "skipped": list(skipped),
    }
    lines = list(command._tests(tested))
    assert "products of held-out devices, times: no test" in lines
    assert lines[-2:] == [f"not examined: {line}" for line in skipped]
    complete = calibration_report(
        replace(tested, validation=replace(made, skipped=())), fitted[1], BASE, DATE
    )
    assert "All tests were made" in section(complete, "Tests").text
    assert calibration_report(*fitted, BASE, DATE).numbers["validation"] is None


def test_validation_tables_and_the_fan_of_an_array(report):
    left_out = (LeftOut("10 µS", 3600.0, 400, 7.9, 0.05, 7.95, 1.0, 0.03, 1.1, 0.0002),)
    quantiles = np.array([0.1, 0.5, 1.0, 1.5, 2.0])
    array = tuple(
        ArrayError(t, 25, t * quantiles, 1.1 * t * quantiles, 0.3) for t in (20.0, 2000.0)
    )
    bootstrap = (
        Bootstrapped("nu_mean.low", 0.049, 0.0001, 0.00012),
        Bootstrapped("x", 1.0, 0.0, 0.1),
    )
    sections = validation_records((), left_out, array, bootstrap)
    assert [s.title for s in sections] == ["Times left out", "Array error", "Bootstrap"]
    wide, half, *points = sections[1].figures[0].panels[0].series
    assert wide.low == pytest.approx([2.2, 220.0])
    assert half.high == pytest.approx([33.0, 3300.0])
    assert points[0].x == pytest.approx([20.0, 2000.0] * 2)
    assert points[0].y == pytest.approx([2.0, 200.0, 40.0, 4000.0])
    assert points[2].y == pytest.approx([20.0, 2000.0])
    assert sections[2].tables[0].rows[0][3] == pytest.approx(1.2)
    text = words(render(replace(report, sections=tuple(sections))))
    assert "10 µS 1 h 400 7.900 ± 0.050 7.95 −1 1.000 ± 0.030 1.1 −3.3 < 0.001" in text
    assert "x 1 ± 0 0.1 unknown" in text


def test_devices_that_relax_have_a_page_of_their_own(tmp_path):
    rng = np.random.default_rng(0)
    targets = np.repeat([5.0, 15.0, 25.0], 150)
    first = targets + 0.3 * rng.standard_normal(450)
    times = np.array([1e-3, 0.1, 10.0, 1e4])
    walk = np.cumsum(rng.standard_t(4, (450, 3)), axis=1)
    g = np.column_stack([first, np.maximum(first[:, None] + walk, 0.0)])
    number = np.arange(450)
    part = DriftTraces(number, 0 * number, targets, np.ones(450, bool), times, g)
    campaign = Campaign(Instrument(1e-4, g_noise_std=0.02), drift=(part,), law="relaxation")
    made = calibrate_relaxation(campaign, Choices("walks", base="ideal"))
    page = calibration_report(made, [], load_parameter_set("ideal"), DATE)
    titles = [found.title for found in page.sections]
    assert titles[:4] == ["Parameters", "Relaxation", "Memory", "Placement"]
    assert "Rejections" in titles
    text = words(render(page))
    assert "scale[0]" in text
    assert "nan" not in text.lower().split()


def test_ramps_and_sweeps_without_drift_have_sections(tmp_path):
    rng = np.random.default_rng(1)
    g = 5.0 + np.cumsum(rng.normal(0.5, 0.2, (15, 31)), axis=1)
    ramps = SetStaircases(np.zeros(15, int), np.arange(15), np.ones(1), 2.0, g[:, :, None])
    volts = np.linspace(1.0, 3.0, 9)
    g = np.exp(2.0 - volts + 0.1 * rng.standard_normal((40, 9)))
    sweeps = ProgrammingCurve(np.zeros(40, int), np.arange(40), volts, 1.0, g, unit="V")
    campaign = Campaign(Instrument(1e-4), staircases=ramps, curve=sweeps)
    made = calibrate(campaign, Choices("ramps", base="ideal"))
    page = calibration_report(made, [], load_parameter_set("ideal"), DATE)
    titles = [found.title for found in page.sections]
    assert titles[:3] == ["Parameters", "Pulse response", "Programming curve"]
    assert abs(made.response.table.mean_all - 0.5) < 0.05
    assert "Increments rise by 0." in words(render(page))


def test_data_that_can_be_no_set_are_not_said_to_be_reproduced_badly(fitted, tmp_path):
    volts = np.linspace(1.0, 3.0, 9)
    g = np.exp(2.0 - volts + 0.1 * np.random.default_rng(1).standard_normal((40, 9)))
    sweeps = ProgrammingCurve(np.zeros(40, int), np.arange(40), volts, 1.0, g, unit="V")
    made = calibrate(Campaign(Instrument(1e-4), curve=sweeps), Choices("sweeps", base="ideal"))
    assert made.refusal
    text = words(render(calibration_report(made, [], load_parameter_set("ideal"), DATE)))
    assert "No set can be made of these data" in text
    assert "does not reproduce" not in text
    assert "Reproduces its data no set none can be made" in text
    assert made.refusal in text
    bad = replace(fitted[0], faults=("a fault",))
    text = words(render(calibration_report(bad, fitted[1], BASE, DATE)))
    assert "The set does not reproduce its own data" in text
    assert "Reproduces its data no 1 reason against it" in text
    assert "No set can be made" not in text
