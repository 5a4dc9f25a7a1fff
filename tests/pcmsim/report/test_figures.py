import numpy as np
import pytest

from pcmsim.report import figures
from pcmsim.report.records import Drift, Matrix, Point


def drift(means: dict[str, list[float]], times_s=(1.0, 3600.0, 345600.0), chips: int = 3) -> Drift:
    spread = np.linspace(-0.02, 0.02, chips)
    points = tuple(
        Point(kind, t_s, mean, tuple((mean + spread).tolist()))
        for kind, row in means.items()
        for t_s, mean in zip(times_s, row, strict=True)
    )
    return Drift("jsb", "88-150-88", 100, 8.4, 8.3, "set", chips, 1, points)


@pytest.fixture
def matrix() -> Matrix:
    g = np.arange(2 * 2 * 3 * 4, dtype=float).reshape(2, 2, 3, 4)
    return Matrix("w", g, 0.5 * g, 0.0, 86400.0)


def test_curves_run_through_the_means_at_their_times():
    given = {"none": [8.5, 8.7, 8.9], "global": [8.45, 8.5, 8.55]}
    (axes,) = figures.metric_over_time(drift(given)).axes
    curves = {line.get_label(): line.get_xydata() for line in axes.lines}
    times_s = [1.0, 3600.0, 345600.0]
    np.testing.assert_allclose(curves["no compensation"].T, [times_s, given["none"]])
    np.testing.assert_allclose(curves["one factor per matrix"].T, [times_s, given["global"]])
    np.testing.assert_allclose(curves["software"][:, 1], 8.4)


def test_points_out_of_order_are_joined_by_time():
    results = drift({"none": [8.9, 8.5, 8.7]}, times_s=(345600.0, 1.0, 3600.0))
    (axes,) = figures.metric_over_time(results).axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [8.5, 8.7, 8.9])


def test_curves_that_are_dwarfed_get_a_panel_of_their_own():
    left, right = figures.metric_over_time(
        drift({"none": [8.5, 9.9, 15.0], "global": [8.45, 8.5, 8.55], "column": [8.44, 8.46, 8.47]})
    ).axes
    assert len(left.lines) == 4
    labels = [line.get_label() for line in right.lines]
    assert labels == ["one factor per matrix", "one factor per column", "software"]
    assert [line.get_color() for line in right.lines] == [
        line.get_color() for line in left.lines[1:]
    ]
    assert right.get_ylim()[1] < 8.7


def test_time_is_ticked_in_units_a_reader_knows():
    (axes,) = figures.metric_over_time(drift({"none": [8.5, 8.7, 8.9]})).axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1 s", "1 min", "1 h", "1 d", "4 d"]
    assert axes.get_xscale() == "log"


def test_the_best_epoch_is_marked():
    curves = {
        "epoch": np.arange(1.0, 6.0),
        "train_loss": np.arange(5.0),
        "valid_metric": np.ones(5),
    }
    (axes,) = figures.learning_curve(curves, 4).axes
    np.testing.assert_array_equal(
        axes.lines[0].get_xydata().T, [curves["epoch"], curves["train_loss"]]
    )
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), curves["valid_metric"])
    assert list(axes.lines[2].get_xdata()) == [4, 4]


def test_the_crossbar_shows_the_mean_pair_difference_at_both_times(matrix):
    left, right = figures.crossbar(matrix).axes[:2]
    expected = (matrix.g_start[0] - matrix.g_start[1]).mean(axis=0)
    np.testing.assert_allclose(left.images[0].get_array(), expected)
    np.testing.assert_allclose(right.images[0].get_array(), 0.5 * expected)
    assert left.images[0].get_clim() == right.images[0].get_clim()
    low, high = left.images[0].get_clim()
    assert low == -high


def test_colours_saturate_where_99_percent_lie_within():
    values = np.linspace(-10.0, 0.0, 1001).reshape(7, 143)
    assert figures.colour_limit(values) == pytest.approx(9.9)
    assert figures.colour_limit(np.zeros((2, 2))) > 0.0


def test_histograms_count_every_device_of_their_matrix(matrix):
    small = Matrix("v", 0.1 * matrix.g_start[:, :1], 0.2 * matrix.g_end[:, :1], 0.0, 86400.0)
    for axes, m in zip(figures.conductances([matrix, small]).axes, (matrix, small), strict=True):
        assert axes.get_title(loc="left") == f"matrix {m.name}"
        for patch, g in zip(axes.patches, (m.g_start, m.g_end), strict=True):
            counts, _ = np.histogram(g, np.linspace(0.0, 47.0, 61))  # 47 µS is the largest of all
            assert patch.get_path().vertices[:, 1].max() == counts.max()
            assert counts.sum() == g.size
            reach = patch.get_path().vertices[:, 0].max()
            assert reach == pytest.approx(47.0)


def test_the_start_is_named_by_its_time_if_it_was_late():
    g = np.ones((2, 1, 2, 2))
    assert figures.moments_text(Matrix("w", g, g, 0.0, 60.0)) == (
        "after programming",
        "1 min later",
    )
    late = figures.moments_text(Matrix("w", g, g, 20.0, 86400.0))
    assert late == ("20 s after programming", "1 d later")
