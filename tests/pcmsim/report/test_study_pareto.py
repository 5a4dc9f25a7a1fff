import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcmsim.report import svg
from pcmsim.report.study_look import looks
from pcmsim.report.study_pareto import energy_pj, front, loss_against_energy, points_of
from pcmsim.report.study_records import read_study
from pcmsim.report.study_scale import Scale

POINTS = st.dictionaries(
    st.sampled_from("ABCDEFGH"),
    st.tuples(st.integers(0, 4).map(float), st.integers(0, 4).map(float)),
    min_size=1,
)


@given(POINTS)
def test_none_on_the_front_is_beaten_and_all_others_are_beaten_by_one_on_it(points):
    def beats(one: str, other: str) -> bool:
        difference = np.subtract(points[one], points[other])
        return bool((difference <= 0).all() and (difference < 0).any())

    found = front(points)
    assert found
    for name in points:
        beaten = [best for best in found if beats(best, name)]
        assert bool(beaten) == (name not in found)


def test_the_front_goes_from_cheap_to_good():
    points = {"A": (9.0, 1.0), "B": (0.0, 9.0), "C": (5.0, 9.0), "D": (5.0, 4.0)}
    assert front(points) == ["B", "D", "A"]


def test_the_same_energy_and_loss_share_the_front():
    assert front({"A": (1.0, 2.0), "B": (1.0, 2.0), "C": (1.0, 3.0)}) == ["A", "B"]


def test_energy_is_one_calibration_and_all_refreshes(studies):
    study = read_study(studies() / "results.json")
    assert [energy_pj(cell) for cell in study.cells] == [0.0, 5000.0, 2.0e6, 2.00005e8]


def test_what_was_not_measured_is_no_point(studies):
    cells = studies.results()["cells"]
    cells[1]["mean"] = [None, None]
    cells[2]["cost"]["refresh_energy_pj"] = None
    study = read_study(studies(cells=cells) / "results.json")
    assert set(points_of(study.cells, looks(study))) == {"A", "D"}


def test_points_beyond_the_top_stand_there_with_an_arrow_and_their_loss(studies):
    study = read_study(studies() / "results.json")
    with svg.style():
        drawn = loss_against_energy(study, study.cells, looks(study), Scale(8.5, 9.0), "e")
    assert "A ↑ 9.6" in drawn
    assert drawn.count("↑") == 1


def test_filled_points_are_those_of_the_front_and_bars_are_intervals(studies, drawn):
    study = read_study(studies() / "results.json")
    with svg.style():
        loss_against_energy(study, study.cells, looks(study), Scale(8.5, 10.0), "e")
    marks = [line for line in drawn.lines if line.get_marker() == "o"]
    filled = [line.get_xdata()[0] for line in marks if line.get_markerfacecolor() != "none"]
    assert (len(marks), filled) == (4, [0.0, 5000.0, 2.00005e8])
    bars = [line for line in drawn.lines if len(set(line.get_xdata())) == 1 and line not in marks]
    assert [tuple(bar.get_ydata()) for bar in bars] == [
        pytest.approx((mean - 0.06, mean + 0.06)) for mean in (9.6, 8.84, 8.85, 8.79)
    ]


def test_mitigations_without_colour_are_points_without_a_letter(studies, drawn):
    cells = [studies.cell("none", "none", refresh=f"r{i}", mean=[8.7, 8.7 + i]) for i in range(8)]
    study = read_study(studies(cells=cells) / "results.json")
    with svg.style():
        loss_against_energy(study, study.cells, looks(study), Scale(8.5, 99.0), "e")
    assert [line.get_marker() for line in drawn.lines].count("o") == 8
    assert {text.get_text() for text in drawn.axes[0].texts} == set("ABCDEFG")
