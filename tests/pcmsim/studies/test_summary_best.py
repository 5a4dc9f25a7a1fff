import numpy as np
import pytest

from pcmsim.config import Energy
from pcmsim.studies import Cell, Table
from pcmsim.studies.summary import summarise

WARM = [Cell("n", "d", "warm", *names) for names in (("none", "none"), ("none", "global"))]
COLD = [Cell("n", "d", "cold", "none", "none"), Cell("n", "d", "cold", "daily", "none")]


def entries(cells, last) -> list[dict]:
    """Summary of cells whose chips end with the losses `last` (cells, chips)."""
    per_step = np.stack([np.full_like(last, 8.0), last], axis=-1)
    costs, first = np.zeros((*per_step.shape, 4)), np.zeros((*last.shape, 4))
    table = Table(tuple(cells), (1.0, 60.0), per_step, per_step, costs, costs, first)
    return [e["against_best"] for e in summarise(table, Energy(), {"n": 9.0})]


def test_each_place_has_a_best_of_its_own():
    last = np.array([[9.0, 9.2, 9.4], [8.8, 8.9, 9.0], [7.0, 7.1, 7.2], [7.3, 7.3, 7.3]])
    found = entries([*WARM, *COLD], last)
    assert found[1] is None
    assert found[2] is None
    assert (found[0]["refresh"], found[0]["compensation"]) == ("none", "global")
    assert found[0]["mean"] == pytest.approx(0.3)
    assert (found[3]["refresh"], found[3]["compensation"]) == ("none", "none")
    assert found[3]["mean"] == pytest.approx(0.2)


def test_differences_are_on_the_same_chips():
    # 0.2, 0.3, 0.4: s = 0.1, and t(2) = 4.3027 at 97.5 %.
    found = entries(WARM, np.array([[9.0, 9.2, 9.4], [8.8, 8.9, 9.0]]))
    assert found[0]["half_width"] == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)
    assert found[0]["chips"] == 3


def test_a_chip_that_one_of_both_lacks_drops_out():
    found = entries(WARM, np.array([[9.0, np.nan, 9.4], [8.8, 8.9, 9.0]]))
    assert found[0]["chips"] == 2
    assert found[0]["mean"] == pytest.approx(0.3)


def test_a_cell_that_was_not_measured_is_never_the_best():
    found = entries(WARM, np.array([[np.nan] * 3, [8.8, 8.9, 9.0]]))
    assert found[1] is None
    assert found[0]["mean"] is None
    assert found[0]["chips"] == 0


def test_where_nothing_was_measured_nothing_is_best():
    assert entries(WARM, np.full((2, 3), np.nan)) == [None, None]
