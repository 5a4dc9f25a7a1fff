import numpy as np
import pytest
from matplotlib.figure import Figure

from pcmsim.report import time_axis


@pytest.mark.parametrize(
    ("first_s", "last_s", "ticks_s"),
    [
        (1.0, 86400.0, [1.0, 60.0, 3600.0, 86400.0]),
        (60.0, 3.1536e7, [60.0, 3600.0, 86400.0, 345600.0, 3.1536e7]),
        (1.0, 432000.0, [1.0, 60.0, 3600.0, 86400.0, 345600.0]),
        (0.01, 1.0, [0.01, 1.0]),
        (20.0, 20.0, [20.0]),
    ],
)
def test_ticks_reach_as_far_as_the_data_and_keep_apart(first_s, last_s, ticks_s):
    assert time_axis.time_ticks([first_s, last_s]) == ticks_s


def drawn(times_s):
    axes = Figure().subplots()
    time_axis.draw(axes, times_s, "time")
    return axes


def test_zero_is_the_first_tick_left_of_a_break():
    times_s = [0.0, 3600.0, 86400.0, 345600.0]
    axes = drawn(times_s)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "1 h", "1 d", "4 d"]
    zero_s, first_s = axes.get_xticks()[:2]
    assert time_axis.places_s(times_s, times_s) == [zero_s, 3600.0, 86400.0, 345600.0]
    (mark,) = axes.texts
    assert mark.get_text() == "//"
    assert zero_s < mark.xy[0] < first_s == 3600.0


def test_without_zero_there_is_no_break():
    axes = drawn([1.0, 3600.0])
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1 s", "1 min", "1 h"]
    assert not axes.texts
    assert time_axis.places_s([1.0, 3600.0], [1.0, 3600.0]) == [1.0, 3600.0]


def test_zero_alone_has_a_place():
    axes = drawn([0.0])
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0"]
    assert time_axis.places_s([0.0, 0.0], [0.0]) == [1.0, 1.0]


@pytest.mark.parametrize("later_s", [[1e-300, 1e300], [5.0], [1.0, 1.001]])
def test_zero_keeps_a_distance_whatever_the_other_times(later_s):
    (zero_s,) = time_axis.places_s([0.0], [0.0, *later_s])
    assert 0.4 <= np.log10(later_s[0] / zero_s) <= 1.0 + 1e-9
