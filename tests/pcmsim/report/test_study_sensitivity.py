import pytest

from pcmsim.report import build, svg
from pcmsim.report.study_records import Difference, Moved, Sensitivity, Sobol
from pcmsim.report.study_sensitivity import ordered, sobol, tornado

SOBOL = {
    "parameters": ["nu_mean", "read_noise"],
    "first": [0.5, -0.01],
    "first_half_width": [0.1, None],
    "total": [0.6, 0.7],
    "total_half_width": [0.1, 0.2],
    "samples": 64,
    "evaluations": 256,
    "variance": 0.0123,
}


def moved(parameter: str, low: float | None, high: float | None) -> Moved:
    return Moved(parameter, Difference(low, 0.01, 8), Difference(high, None, 8))


def found(*moves: Moved) -> Sensitivity:
    return Sensitivity("n", "global", "d", 345600.0, 0.2, 8, 8.9, moves, None)


def section(studies, **changes) -> str:
    move = {"low": {"mean": -0.1, "half_width": 0.02, "chips": 8}}
    move["high"] = {"mean": 0.2, "half_width": None, "chips": 8}
    values = {"network": "n", "compensation": "global", "devices": "d", "t_s": 345600.0}
    values |= {"step": 0.2, "chips": 8, "nominal": 8.9, "sobol": SOBOL}
    values |= {"one_at_a_time": [move | {"parameter": "nu_mean"}]}
    folder = studies(sensitivity=values | changes)
    return build(folder).read_text(encoding="utf-8").split('id="sensitivity"')[1]


def test_the_parameter_that_moves_the_loss_most_comes_first_whatever_its_sign():
    moves = (moved("a", -0.1, 0.1), moved("b", 0.0, -0.3), moved("c", None, 0.2), moved("d", 0, 0))
    assert [m.parameter for m in ordered(found(*moves))] == ["b", "c", "a", "d"]


def test_bars_of_unknown_changes_and_indices_are_drawn_as_nothing():
    with svg.style():
        told = tornado(found(moved("a", None, None), moved("b", 0.1, -0.1)), "t")
        indices = sobol(Sobol(**SOBOL | {"total": (None, 0.7)}), "s")
    assert "a: unknown and unknown" in told
    assert "20 % lower" in told
    assert "nan" not in told + indices


def test_indices_stand_by_their_total():
    with svg.style():
        drawn = sobol(Sobol(**SOBOL), "s")
    assert "<desc>read_noise: total 0.7; nu_mean: total 0.6</desc>" in drawn


def test_the_page_shows_changes_and_indices_in_figures_and_numbers(studies):
    page = section(studies)
    assert page.count("<svg") == 2
    for part in (
        "At the values of the set it is 8.900 nat/step.",
        "20 % lower or higher and the others stay, on the same 8 chips",
        "−0.100 ± 0.020",
        "+0.200",
        "(0.0123 nat²/step²)",
        "64 base samples, 256 evaluations",
        "-0.010",
    ):
        assert part in page


@pytest.mark.parametrize(("share", "told"), [(0.9, "would be 90 % of both"), (None, "variance.")])
def test_chips_are_no_part_of_the_variance(studies, share, told):
    page = section(studies, sobol=SOBOL | {"between_chips": share})
    assert "Differences between chips are no part of the variance" in page
    assert told in page


def test_no_indices_and_no_changes_leave_the_words(studies):
    page = section(studies, sobol=None, one_at_a_time=[], nominal=None)
    assert "<svg" not in page
    assert "How the loss of n on d with compensation global at 4 d depends" in page


def test_a_study_without_sensitivity_says_so(studies):
    page = build(studies()).read_text(encoding="utf-8")
    assert "The study did not ask how the loss depends on the parameters" in page


def test_bars_stand_beside_each_other_at_their_parameter(drawn):
    moves = (moved("a", -0.1, 0.1), moved("b", -0.2, 0.3))
    with svg.style():
        tornado(found(*moves), "t")
    names = [tick.get_text() for tick in drawn.axes[0].get_yticklabels()]
    assert names == ["b", "a"]
    groups = [group for group in drawn.axes[0].containers if hasattr(group, "patches")]
    places = [[p.get_y() + p.get_height() / 2 for p in group] for group in groups]
    assert places == [pytest.approx([-0.19, 0.81]), pytest.approx([0.19, 1.19])]
    lengths = [[p.get_width() for p in group] for group in groups]
    assert lengths == [pytest.approx([-0.2, -0.1]), pytest.approx([0.3, 0.1])]


def test_indices_and_their_intervals_belong_to_their_parameter(drawn):
    with svg.style():
        sobol(Sobol(**SOBOL | {"first_half_width": [0.1, 0.03]}), "s")
    assert [t.get_text() for t in drawn.axes[0].get_yticklabels()] == ["read_noise", "nu_mean"]
    groups = [group for group in drawn.axes[0].containers if hasattr(group, "patches")]
    assert [[p.get_width() for p in group] for group in groups] == [[-0.01, 0.5], [0.7, 0.6]]
    first, total = (c.get_segments() for c in drawn.axes[0].collections)
    assert [s[:, 0].tolist() for s in first] == [
        pytest.approx([-0.04, 0.02]),
        pytest.approx([0.4, 0.6]),
    ]
    assert total[0][:, 0].tolist() == pytest.approx([0.5, 0.9])
