import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from pcmsim.errors import DataError
from pcmsim.report.calibration_page import numbers, render, write_calibration
from pcmsim.report.calibration_records import (
    Axis,
    CalibrationReport,
    Figure,
    KeyNumber,
    Map,
    Measured,
    Panel,
    Section,
    Series,
    Table,
)

X = np.array([20.0, 200.0, 2000.0, 20000.0])
Y = np.array([5.013, 4.471, 3.987, 3.556])
HOSTILE = "<script>alert('1')</script>&\"$x^2$"


def panel(title: str, y=Y, scale="time") -> Panel:
    series = (
        Series("data", "data", X, y, np.full(4, 0.05)),
        Series("fit", "fit", X, Y, low=Y - 0.1, high=Y + 0.1),
        Series("set", "other", X, Y + 0.02),
    )
    return Panel(title, Axis("time since the last pulse", scale), Axis("mean G [µS]"), series)


def report(**changes) -> CalibrationReport:
    figure = Figure("Mean", "What was read.", (panel("2.2 µS"), panel("10 µS")))
    residuals = Map(
        "Residuals", "By time.", ("2.2 µS",), ("20 s", "1 h"), np.array([[-1.26, 6]]), 5
    )
    rows = (("nu_mean", Measured(0.0491473, 0.00031), 1234), ("x", Measured(2.0, np.nan), None))
    section = Section(
        "Drift",
        "Two levels, doi:10.1063/1.5042408.",
        (figure, residuals),
        (Table("t", ("e",), rows),),
    )
    made = CalibrationReport(
        "my-chip", "A chip", (KeyNumber("Devices", 4000, "at 2 levels"),), (), (section,)
    )
    return replace(made, **changes)


def words(page: str) -> str:
    page = re.sub(r"<svg.*?</svg>|<style>.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def with_figure(figure) -> CalibrationReport:
    return report(sections=(Section("Drift", "", (figure,)),))


def test_the_page_shows_key_numbers_text_tables_maps_and_panels():
    page = render(report())
    text = words(page)
    for part in (
        "my-chip A chip",
        "Devices 4,000 at 2 levels",
        "nu_mean 0.04915 ± 0.00031 1,234",
        "2.2 µS −1.3 6.0",
        "What was read. ● data fit set 2.2 µS 10 µS",
    ):
        assert part in text
    assert page.count("<svg") == page.count("<desc>") == 2
    assert 'href="https://doi.org/10.1063/1.5042408"' in page


def test_the_page_loads_nothing_and_runs_nothing():
    page = render(report())
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!#|https://doi\.org/)', page)
    assert not re.search(r"url\((?!#)|@import", page)


def test_identifiers_are_unique_and_references_lead_somewhere():
    page = render(report())
    found = re.findall(r'\sid="([^"]+)"', page)
    assert len(found) == len(set(found))
    assert {*re.findall(r'href="#([^"]+)"', page), *re.findall(r"url\(#([^)]+)\)", page)} <= {
        *found
    }


def test_the_same_records_give_the_same_bytes():
    assert render(report()) == render(report())


def test_hostile_names_are_escaped_everywhere():
    axis = Axis(HOSTILE)
    series = (Series(HOSTILE, "data", X, Y), Series(HOSTILE + "2", "fit", X, Y))
    figure = Figure(HOSTILE, HOSTILE, (Panel(HOSTILE, axis, axis, series),))
    section = Section(
        HOSTILE,
        HOSTILE,
        (figure, Map(HOSTILE, HOSTILE, (HOSTILE,), (HOSTILE,), np.zeros((1, 1)), 1.0)),
        (Table(HOSTILE, (HOSTILE,), ((HOSTILE,), ({HOSTILE: HOSTILE},))),),
    )
    key = KeyNumber(HOSTILE, HOSTILE, HOSTILE)
    page = render(CalibrationReport(HOSTILE, HOSTILE, (key,), (HOSTILE,), (section,)))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_unknown(bad):
    y = Y.copy()
    y[1] = bad
    table = Table("t", ("a", "b", "c"), ((bad, Measured(bad, bad), {"constant": bad}),))
    values = np.array([[bad, 1.0]])
    shown = Map("Residuals", "", ("a",), ("b", "c"), values, 5.0)
    section = Section("Drift", "", (Figure("f", "", (panel("p", y),)), shown), (table,))
    page = render(report(sections=(section,), key_numbers=(KeyNumber("k", bad, ""),)))
    assert words(page).count("unknown") == 5  # key number, map, cell, value, law
    assert not re.search(r"(?<![A-Za-z])(nan|inf|NaN|Infinity)(?![A-Za-z])", page)
    assert json.loads(numbers(report(sections=(section,))))["sections"][0]["tables"][0]["rows"] == [
        [None, {"value": None, "stderr": None}, {"constant": None}]
    ]


@pytest.mark.parametrize("scale", ["linear", "log", "time", "zero"])
@pytest.mark.parametrize(
    "y", [np.full(4, np.nan), np.zeros(4), -Y, np.array([0.0, 1e-9, 1.0, 1e9])]
)
def test_panels_are_drawn_whatever_the_data(scale, y):
    axes = Axis("x", scale), Axis("y", "log" if scale == "log" else "linear")
    series = (Series("data", "data", np.array([0.0, -1.0, 1.0, np.nan]), y, np.full(4, np.inf)),)
    page = render(with_figure(Figure("f", "c", (Panel("p", *axes, series),), same_y=True)))
    assert page.count("<svg") == 1


def test_bars_reach_196_standard_errors_and_points_stand_where_they_belong():
    series = (
        Series("data", "data", np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([0.5, 0.5])),
    )
    figure = Figure("f", "c", (Panel("p", Axis("x"), Axis("y"), series),))
    page = render(with_figure(figure))
    points = [
        tuple(map(float, p)) for p in re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', page)
    ]
    bars = [
        [float(v) for v in m]
        for m in re.findall(r"M ([\d.]+) ([\d.]+) ?\n?L ([\d.]+) ([\d.]+)", page)
    ]
    (x0, y0), (_, y1) = points[-2:]
    per_unit = y0 - y1
    (bar,) = [b for b in bars if abs(b[0] - x0) < 0.1 and abs(b[2] - x0) < 0.1 and b[1] > b[3]][-1:]
    assert (bar[1] - bar[3]) / per_unit == pytest.approx(1.96, abs=0.01)
    assert 0.5 * (bar[1] + bar[3]) == pytest.approx(y0, abs=0.1)


def test_one_point_of_which_nothing_is_known_does_not_flatten_the_others():
    stderr = np.array([0.1, 0.1, 0.1, 1e6])
    series = (Series("data", "data", np.arange(4.0), np.array([1.0, 2.0, 3.0, 2.0]), stderr),)
    page = render(with_figure(Figure("f", "c", (Panel("p", Axis("x"), Axis("y"), series),))))
    heights = [float(y) for y in re.findall(r'<use [^>]*y="([\d.]+)"', page)]
    assert max(heights) - min(heights) > 30.0  # of 113 points of the axes


def test_twelve_panels_are_shown_and_all_numbers_kept():
    figure = Figure("Mean", "c.", tuple(panel(f"level {i}") for i in range(20)))
    page = render(with_figure(figure))
    assert page.count("<svg") == 12
    assert "Shown are 12 of 20; all are in calibration.json." in words(page)
    assert "level 0" in page
    assert "level 19" in page
    kept = json.loads(numbers(with_figure(figure)))["sections"][0]["figures"][0]["panels"]
    assert len(kept) == 20
    assert kept[7]["series"][0]["y"] == Y.tolist()


def test_a_refused_set_says_so_before_anything_else():
    text = words(render(report(faults=("at 5 uS and 1 h the mean is 2.1 +- 0.1 uS",))))
    assert (
        text.index("Refused") < text.index("at 5 uS and 1 h the mean") < text.index("Devices 4,000")
    )
    assert "Refused" not in words(render(report()))


def test_a_map_colours_by_sign_and_size():
    values = np.array([[10.0, -2.5, 0.0]])
    page = render(with_figure(Map("m", "c", ("r",), ("a", "b", "c"), values, 5.0)))
    styles = re.findall(r'<td style="background:([^"]*)">', page)
    shares = [re.search(r"series-(\d)\) (\d+)%", style).groups() for style in styles]
    assert shares == [("0", "70"), ("1", "35"), ("1", "0")]


def test_files_are_written_whole_and_a_disk_that_refuses_is_named(tmp_path):
    page = write_calibration(report(), tmp_path / "new")
    assert page.name == "report.html"
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "calibration.json",
        "report.html",
    ]
    assert json.loads((page.parent / "calibration.json").read_text())["name"] == "my-chip"
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_calibration(report(), tmp_path / "file")
