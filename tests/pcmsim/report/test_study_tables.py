import pytest

from pcmsim.report.study_look import places
from pcmsim.report.study_records import read_study
from pcmsim.report.study_tables import (
    BEST,
    NEVER,
    SAME,
    UNTOLD,
    WORSE,
    failing,
    failures,
    short_of_chips,
    verdicts,
)

TIMES_S = [1.0, 60.0, 3600.0, 86400.0]


def ranked(folder):
    study = read_study(folder / "results.json")
    (cells,) = places(study.cells).values()
    return {f"{v.cell.refresh}/{v.cell.compensation}": v.word for v in verdicts(cells)}


def test_the_ranking_goes_by_the_mean_and_every_mitigation_has_its_word(studies):
    assert list(ranked(studies()).items()) == [
        ("daily/global", BEST),
        ("none/global", WORSE),
        ("none/affine", WORSE),
        ("none/none", WORSE),
    ]


def test_a_difference_below_zero_counts_as_one_above(studies):
    cells = studies.results()["cells"]
    cells[2]["against_best"] = {"mean": -0.05, "half_width": 0.04, "chips": 2}
    assert ranked(studies(cells=cells))["none/affine"] == WORSE


@pytest.mark.parametrize(
    ("half_width", "word"), [(0.049, WORSE), (0.05, SAME), (0.2, SAME), (None, UNTOLD)]
)
def test_an_interval_that_holds_zero_is_not_significant(studies, half_width, word):
    cells = studies.results()["cells"]
    cells[2]["against_best"] = {"mean": 0.05, "half_width": half_width, "chips": 3}
    assert ranked(studies(cells=cells))["none/affine"] == word


def test_nothing_is_best_where_nothing_was_measured(studies):
    nothing = {"mean": [None, None], "against_best": None, "chips": 0}
    assert set(ranked(studies(cells=[studies.cell("none", "none", **nothing)])).values()) == {
        UNTOLD
    }


def life(studies, *within):
    four = [9.0] * 4
    cell = studies.cell("none", "none", within=list(within), mean=four, half_width=four)
    cell["quantiles"] = {"q05": four, "q50": four, "q95": four}
    study = read_study(studies(cells=[cell], times_s=TIMES_S) / "results.json")
    found = failing(study, study.cells[0])
    return found.first, found.half, found.least, found.recovers


def test_the_first_chip_and_half_of_the_chips_fail_at_the_first_such_time(studies):
    assert life(studies, 1.0, 0.75, 0.5, 0.25) == ("1 min", "1 d", 0.25, False)


def test_chips_that_recover_are_told(studies):
    assert life(studies, 1.0, 0.25, 0.75, 0.75) == ("1 min", "1 min", 0.25, True)


def test_chips_that_all_stay_within_never_fail(studies):
    assert life(studies, 1.0, 1.0, 1.0, 1.0) == (NEVER, NEVER, 1.0, False)


def test_chips_that_were_not_measured_have_no_share(studies):
    assert life(studies, None, None, None, None) == (NEVER, NEVER, None, False)


def test_failed_lives_of_several_chips_are_one_row_for_each_reason(studies):
    common = {"network": "n", "devices": "d", "temperature": "warm", "refresh": "none"}
    common |= {"compensations": ["none", "global"]}
    lives = [(4, "too hot"), (1, "too hot"), (2, "dead")]
    failed = [common | {"chip": chip, "reason": reason} for chip, reason in lives]
    name = "n / d / warm, refresh none, compensation none, global"
    assert failures(read_study(studies(failures=failed) / "results.json")) == [
        (f"{name}: chips 1, 4", "too hot"),
        (f"{name}: chip 2", "dead"),
    ]


def test_cells_with_fewer_chips_than_asked_for_are_named(studies):
    cells = [studies.cell("none", "none"), studies.cell("daily", "global", chips=2)]
    study = read_study(studies(cells=cells) / "results.json")
    assert short_of_chips(study) == ["n / d / warm, global + refresh daily: 2 of 3"]
