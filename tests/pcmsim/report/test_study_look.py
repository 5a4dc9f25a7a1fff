from pcmsim.report.study_look import Mitigation, looks, of, places
from pcmsim.report.study_records import read_study

BARE = Mitigation("none", "none")


def many(studies, count: int, **changes) -> list[dict]:
    """No mitigation last, and refreshes r0, r1 ... of which the later end better."""
    cells = [
        studies.cell("none", "none", refresh=f"r{i}", mean=[8.7, 9.4 - 0.01 * i], **changes)
        for i in range(count)
    ]
    return [*cells, studies.cell("none", "none", **changes)]


def read(folder):
    return read_study(folder / "results.json")


def test_no_mitigation_comes_first_and_all_others_in_the_order_of_the_study(studies):
    found = looks(read(studies(cells=many(studies, 3))))
    assert [(m.refresh, look.letter) for m, look in found.items()] == [
        ("none", "A"),
        ("r0", "B"),
        ("r1", "C"),
        ("r2", "D"),
    ]
    assert len({look.colour for look in found.values()}) == 4


def test_eight_mitigations_have_eight_colours(studies):
    found = looks(read(studies(cells=many(studies, 7))))
    assert len({look.colour for look in found.values()} - {None}) == 8


def test_of_more_than_eight_the_best_are_drawn_and_no_mitigation(studies):
    found = looks(read(studies(cells=many(studies, 10))))
    assert [m.refresh for m, look in found.items() if look.colour is None] == ["r0", "r1", "r2"]
    assert found[BARE].colour is not None
    assert len(set(found.values())) == 11


def test_ranks_count_not_losses_when_the_best_are_chosen(studies):
    # r0 is the best in two places and lost in the third, r1 is behind everywhere.
    found = {where: many(studies, 8, temperature=where) for where in ("cold", "warm", "hot")}
    for where, loss in (("cold", 100.0), ("warm", 8.0), ("hot", 8.0)):
        found[where][0]["mean"] = [8.7, loss]
    known = looks(read(studies(cells=[cell for cells in found.values() for cell in cells])))
    assert [m.refresh for m, look in known.items() if look.colour is None] == ["r1"]


def test_cells_of_a_place_stand_by_their_loss_and_unmeasured_ones_last(studies):
    cells = studies.results()["cells"]
    cells[1]["mean"] = [8.7, None]
    (found,) = places(read(studies(cells=cells)).cells).values()
    assert [of(cell).name for cell in found] == [
        "global + refresh daily",
        "affine",
        "no mitigation",
        "global",
    ]
