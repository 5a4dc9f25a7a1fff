import numpy as np
import pytest

from pcmsim.report import points
from pcmsim.report.records import Point

TIMES_S = (1.0, 3600.0, 345600.0)


def points_of(means: dict[str, list[float]]) -> list[Point]:
    return [
        Point(kind, t_s, mean, (mean - 0.02, mean + 0.02))
        for kind, row in means.items()
        for t_s, mean in zip(TIMES_S, row, strict=True)
    ]


@pytest.mark.parametrize(
    ("means", "answer"),
    [
        ({"none": [8.5, 8.6, 9.0], "global": [8.5, 8.5, 8.6]}, False),
        ({"none": [8.5, 8.6, 9.3], "global": [8.5, 8.5, 8.6]}, True),
        ({"none": [8.5, 8.6, 20.0]}, False),
        ({"global": [8.5, 8.6, 20.0]}, False),
        ({"none": [8.41, 8.42, 8.43], "global": [8.3, 8.3, 8.3]}, True),
    ],
)
def test_dwarfed_means_four_times_the_loss(means, answer):
    assert points.dwarfed(points_of(means), 8.4) is answer


def test_the_band_is_the_range_of_few_and_percentiles_of_many_chips():
    few = Point("none", 1.0, 8.5, (8.1, 8.9, 8.5))
    assert points.spread(few) == (8.1, 8.9)
    many = Point("none", 1.0, 8.5, tuple(np.linspace(8.0, 9.0, 101).tolist()))
    assert points.spread(many) == pytest.approx((8.05, 8.95))


@pytest.mark.parametrize(
    ("times_s", "shown_s"),
    [
        ([1.0, 60.0, 3600.0, 20000.0, 86400.0, 345600.0], [1.0, 3600.0, 86400.0, 345600.0]),
        ([0.0, 60.0, 3600.0, 7200.0], [0.0, 3600.0, 7200.0]),
        ([0.0], [0.0]),
        ([12.0], [12.0]),
    ],
)
def test_a_table_shows_the_milestones_that_were_measured_and_the_end(times_s, shown_s):
    assert points.moments_s(times_s) == shown_s


def test_a_point_is_found_at_its_own_time_only():
    found = points_of({"none": [8.5, 8.6, 8.7]})
    assert points.at(found, 3600.0).mean == 8.6
    assert points.at(found, 3601.0).mean == 8.6
    assert points.at(found, 0.0) is None
