import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcmsim.report.study_records import read_study
from pcmsim.report.study_scale import apart, scale_of


def scale(studies, *, at_the_end=False, tolerance=0.25, **peaks):
    """Axis for refreshes that start at 8.7 and rise by `peaks` above the software."""
    cells = [
        studies.cell(
            "none",
            "none",
            refresh=name,
            mean=[8.7, 8.6 + peak],
            half_width=[0.0, 0.0],
            quantiles={"q05": [8.7, 8.7], "q50": [8.7, 8.6 + peak], "q95": [8.7, 8.6 + peak]},
        )
        for name, peak in peaks.items()
    ]
    study = read_study(studies(cells=cells, tolerance=tolerance) / "results.json")
    return scale_of(study, study.cells, at_the_end=at_the_end)


def test_all_curves_fit_if_none_dwarfs_the_others(studies):
    found = scale(studies, a=0.4, b=0.45, c=0.5)
    assert found.low < 8.6
    assert 9.1 < found.high < 9.2


@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_curve_that_dwarfs_the_others_leaves_the_panel(studies, at_the_end):
    found = scale(studies, at_the_end=at_the_end, a=0.4, b=0.5, c=4.0)
    assert found.high == pytest.approx(8.6 + 1.5 * 0.5 * 1.05)
    assert found.share(12.6) == 1.0


def test_the_tolerance_is_in_the_panel_unless_it_is_far_above_all(studies, tmp_path):
    assert scale(studies, tolerance=1.0, a=0.4).high > 9.6


def test_a_tolerance_far_above_all_does_not_flatten_the_curves(studies):
    assert scale(studies, tolerance=5.0, a=0.4).high < 9.1


@given(st.lists(st.floats(0.0, 1.0), max_size=12), st.floats(0.01, 0.2))
def test_letters_keep_apart_in_order_and_inside(heights, gap):
    named = {str(i): h for i, h in enumerate(heights)}
    moved = apart(named, gap)
    found = np.array([moved[name] for name in sorted(named, key=lambda name: named[name])])
    if found.size:
        assert found.min() > -1e-9
        assert found.max() < 1 + 1e-9
    if found.size > 1:
        assert (np.diff(found) > min(gap, 1 / (len(found) - 1)) - 1e-9).all()


def test_letters_that_are_apart_stay_where_they_are():
    assert apart({"A": 0.2, "B": 0.6}, 0.1) == {"A": 0.2, "B": pytest.approx(0.6)}
