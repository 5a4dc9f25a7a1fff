import numpy as np
import pytest

from pcmsim.report import loop_figures
from pcmsim.report.records import Chip, InLoop, StagePoint
from pcmsim.report.svg import SERIES

TIMES_S = (0.0, 3600.0, 345600.0)
TRANSFER = {"none": [8.8, 8.9, 9.0], "global": [8.7, 8.75, 8.78]}
LEARNT = {"none": [8.5, 8.55, 8.61], "global": [8.48, 8.49, 8.51]}


def loop(means: dict[str, dict[str, list[float]]], aware_metric=None) -> InLoop:
    points = tuple(
        StagePoint(
            stage=stage, compensation=kind, t_s=t_s, mean=mean, per_chip=(mean - 0.03, mean + 0.01)
        )
        for stage, kinds in means.items()
        for kind, row in kinds.items()
        for t_s, mean in zip(TIMES_S, row, strict=True)
    )
    chips = tuple(Chip(i, 5, 10.0, 100.0, {}) for i in range(2))
    return InLoop(100, "set", points, chips, aware_metric)


def logs(**columns) -> list[dict[str, np.ndarray]]:
    """Logs of two chips, the second one above the first by 2."""
    phase = np.array([0.0, 1.0, 1.0, 1.0, 3.0])
    first = {"phase": phase, "epoch": np.array([0.0, 1, 2, 3, 1])}
    first |= dict.fromkeys(("programmed", "set_pulses", "resets"), np.zeros(5))
    first |= {"valid_metric": np.array([9.4, 9.1, 8.9, 8.8, 8.7])}
    first |= {name: np.asarray(values) for name, values in columns.items()}
    moved = {name: first[name] + 2.0 for name in ("valid_metric", *columns)}
    return [first, first | moved]


def test_each_stage_has_its_colour_and_each_compensation_its_mark():
    (axes,) = loop_figures.metric_over_time(
        loop({"transfer": TRANSFER, "in_loop": LEARNT}), 8.4
    ).axes
    curves = {
        (line.get_color(), line.get_marker()): line.get_ydata().tolist()
        for line in axes.lines
        if len(line.get_xdata()) == len(TIMES_S)
    }
    assert curves == {
        (SERIES[1], "o"): TRANSFER["none"],
        (SERIES[1], "s"): TRANSFER["global"],
        (SERIES[0], "o"): LEARNT["none"],
        (SERIES[0], "s"): LEARNT["global"],
    }


def test_a_compensation_looks_the_same_whichever_others_there_are():
    alone = loop_figures.metric_over_time(loop({"in_loop": {"affine": [8.5, 8.5, 8.5]}}), 8.4)
    assert alone.axes[0].lines[0].get_marker() == "D"


def test_bands_span_the_chips():
    (axes,) = loop_figures.metric_over_time(loop({"in_loop": {"none": LEARNT["none"]}}), 8.4).axes
    (band,) = axes.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((8.47, 8.62))


def test_right_after_stands_at_a_tick_of_its_own():
    (axes,) = loop_figures.metric_over_time(
        loop({"transfer": TRANSFER, "in_loop": LEARNT}), 8.4
    ).axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "1 h", "1 d", "4 d"]
    for line in axes.lines[:4]:
        zero_s, *later_s = line.get_xdata()
        assert zero_s == axes.get_xticks()[0] < 3600.0
        assert later_s == [3600.0, 345600.0]


def test_the_lines_of_software_are_drawn_and_named():
    figure = loop_figures.metric_over_time(loop({"in_loop": LEARNT}, aware_metric=8.45), 8.4)
    flat = [set(line.get_ydata()) for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert flat == [{8.4}, {8.45}]
    names = [text.get_text().strip() for text in figure.legends[0].get_texts()]
    assert [name for name in names if name] == [
        "in the loop",
        "no compensation",
        "software",
        "one factor per matrix",
        "noise-aware software",
    ]


def test_curves_that_are_dwarfed_get_a_panel_with_both_stages():
    far = {"none": [8.8, 9.9, 13.0], "global": [8.5, 8.5, 8.6]}
    figure = loop_figures.metric_over_time(loop({"transfer": far, "in_loop": LEARNT}), 8.4)
    left, right = figure.axes
    assert len(left.lines) == 5
    assert [line.get_ydata()[0] for line in right.lines] == [8.5, 8.48, 8.4]
    assert right.get_ylim()[1] < 8.7


def test_learning_is_the_mean_over_chips_with_their_band():
    upper, _ = loop_figures.learning(logs(), [], 8.3).axes
    np.testing.assert_allclose(upper.lines[0].get_xdata(), [0, 1, 2, 3, 4])
    np.testing.assert_allclose(upper.lines[0].get_ydata(), [10.4, 10.1, 9.9, 9.8, 9.7])
    heights = upper.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((8.7, 11.4))
    assert set(upper.lines[1].get_ydata()) == {8.3}


def test_phases_are_marked_where_they_begin_and_named_by_their_number():
    upper, lower = loop_figures.learning(logs(), ["accumulate", "digital", "reprogram"], 8.3).axes
    for axes in (upper, lower):
        marked = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]
        assert marked == [0.5, 3.5]
    assert [text.get_text() for text in upper.texts] == [
        "phase 1: accumulate",
        "phase 3: reprogram",
    ]


def test_a_phase_number_without_a_rule_is_named_by_number():
    for rules in ([], ["accumulate"]):
        upper, _ = loop_figures.learning(logs(), rules, 8.3).axes
        assert upper.texts[1].get_text() == "phase 3"


def test_pulses_are_drawn_only_if_there_are_any():
    _, lower = loop_figures.learning(logs(programmed=[90.0, 5, 4, 0, 0]), [], 8.3).axes
    labels = [line.get_label() for line in lower.lines if line.get_label()[0] != "_"]
    assert labels == ["devices programmed"]
    np.testing.assert_allclose(lower.lines[0].get_ydata(), [91.0, 6.0, 5.0, 1.0, 1.0])
    both = logs(set_pulses=[0.0, 7, 6, 5, 0], resets=[0.0, 3, 2, 1, 0])
    _, lower = loop_figures.learning(both, [], 8.3).axes
    found = {line.get_label(): line.get_ydata() for line in lower.lines}
    np.testing.assert_allclose(found["SET pulses"], [1.0, 8.0, 7.0, 6.0, 1.0])
    np.testing.assert_allclose(found["RESET pulses"], [1.0, 4.0, 3.0, 2.0, 1.0])


def test_an_epoch_without_any_operation_has_a_place_on_the_scale():
    _, lower = loop_figures.learning(logs(), [], 8.3).axes
    assert lower.get_yscale() == "symlog"
    assert lower.get_ylim()[0] < 0.0
