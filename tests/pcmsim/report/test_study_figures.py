import numpy as np
import pytest
from matplotlib import figure as drawing

from pcmsim.report import svg
from pcmsim.report.study_figures import letters, loss, within
from pcmsim.report.study_look import looks, places
from pcmsim.report.study_records import read_study
from pcmsim.report.study_scale import Scale


@pytest.fixture
def lines(drawn) -> list:
    """Lines of what is drawn."""
    return drawn.lines


def draw(studies, kind: str, **changes) -> str:
    study = read_study(studies(**changes) / "results.json")
    (cells,) = places(study.cells).values()
    with svg.style():
        if kind == "loss":
            return loss(study, cells, looks(study), Scale(8.5, 9.0), "p")
        return within(study, cells, looks(study), "p")


def test_curves_are_medians_and_the_lines_software_and_tolerance(studies, lines):
    draw(studies, "loss")
    curves = [list(line.get_ydata()) for line in lines]
    assert curves == [
        pytest.approx([8.72, 9.6]),
        pytest.approx([8.71, 8.84]),
        pytest.approx([8.72, 8.85]),
        pytest.approx([8.71, 8.79]),
        [8.6, 8.6],
        pytest.approx([8.85, 8.85]),
    ]
    assert [line.is_dashed() for line in lines] == [False] * 5 + [True]
    assert len({line.get_color() for line in lines[:4]}) == 4


def test_shares_are_steps_in_percent_that_hold_until_the_next_time(studies, lines):
    draw(studies, "within")
    assert [line.get_drawstyle() for line in lines] == ["steps-post"] * 4
    assert lines[1].get_ydata().tolist() == pytest.approx([100.0, 200 / 3])
    widths = [line.get_linewidth() for line in lines]
    assert (np.diff(widths) < 0).all()


def test_a_mitigation_has_the_same_colour_in_both_figures(studies, lines):
    draw(studies, "loss")
    first = [line.get_color() for line in lines[:4]]
    lines.clear()
    studies.path = studies.path / "again"
    draw(studies, "within")
    assert [line.get_color() for line in lines] == first


def test_a_thousand_times_are_thinned_and_keep_both_ends(studies, lines):
    n = 1000
    cell = studies.cell("none", "none", mean=[9.0] * n, half_width=[0.1] * n, within=[1.0] * n)
    cell["quantiles"] = {key: list(range(n)) for key in ("q05", "q50", "q95")}
    draw(studies, "loss", cells=[cell], times_s=[1.0 + k for k in range(n)])
    assert len(lines[0].get_xdata()) == 60
    assert (lines[0].get_xdata()[0], lines[0].get_xdata()[-1]) == (1.0, 1000.0)
    assert (np.array(lines[0].get_ydata()) + 1.0 == lines[0].get_xdata()).all()


def test_a_single_time_is_a_point(studies, lines):
    one = {"mean": [9.0], "half_width": [0.1], "within": [0.5]}
    one |= {"quantiles": {"q05": [8.9], "q50": [9.0], "q95": [9.1]}}
    draw(studies, "loss", cells=[studies.cell("none", "none", **one)], times_s=[60.0])
    assert lines[0].get_marker() == "o"


def test_letters_stand_where_curves_end_and_none_for_unknown_ends(studies):
    axes = drawing.Figure().subplots()
    ends = {"A": (9.5, "red"), "B": (8.75, "blue"), "C": (float("nan"), "green")}
    letters(axes, ends, Scale(8.5, 9.0))
    found = {text.get_text(): text.xy[1] for text in axes.texts}
    assert found == {"A ↑ 9.5": 1.0, "B": 0.5}


def test_losses_beyond_the_top_have_an_arrow(studies):
    drawn = draw(studies, "loss")
    assert drawn.count("↑") == 1
    assert "A ↑ 9.6" in drawn


def test_bands_reach_from_the_5th_to_the_95th_percentile(studies, drawn):
    draw(studies, "loss")
    heights = drawn.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert set(np.round(heights, 6)) == {8.7, 8.74, 9.5, 9.7}
