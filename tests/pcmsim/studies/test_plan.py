import pytest

from pcmsim.config import build_study
from pcmsim.errors import UsageError
from pcmsim.studies import Cell, cells_of, study_times, units_of
from pcmsim.units import LANDMARKS_S


def test_a_block_crosses_what_it_names_with_everything_it_does_not(small):
    cells = cells_of(small)
    assert len(cells) == 2 * 2 + 2
    assert Cell("soft", "gst", "warm", "daily", "global") in cells
    assert Cell("soft", "gst", "warm", "daily", "none") not in cells


def test_a_cell_that_two_blocks_name_is_measured_once(values):
    twice = build_study(values | {"cells": values["cells"] * 2})
    assert cells_of(twice) == cells_of(build_study(values))


def test_units_hold_every_cell_of_every_chip_exactly_once(small):
    found = [
        (Cell(unit.network, unit.devices, life.temperature, life.refresh, kind), unit.chip)
        for unit in units_of(small)
        for life in unit.lives
        for kind in life.compensations
    ]
    assert sorted(found) == sorted((cell, chip) for cell in cells_of(small) for chip in range(2))


def test_the_first_chip_of_everything_comes_before_the_second(values):
    study = build_study(values | {"devices": {"a": "pcm-gst-90nm", "b": "ideal"}})
    assert [unit.chip for unit in units_of(study)] == [0, 0, 1, 1]


@pytest.mark.parametrize(("days", "points"), [(4.0, 25), (365.0, 40), (3650.0, 30), (0.5, 12)])
def test_times_are_as_many_as_asked_for_increase_and_hold_the_usual_ones(days, points):
    times_s = study_times(days, points)
    assert len(times_s) == points
    assert list(times_s) == sorted(set(times_s))
    assert times_s[0] == 1.0
    assert times_s[-1] == days * 86400.0
    if points >= 25:
        assert set(LANDMARKS_S) <= set(times_s)


def test_one_point_is_the_end():
    assert study_times(4.0, 1) == (345600.0,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cells": [{"refresh": ["weekly"]}]}, "weekly"),
        ({"cells": [{"networks": ["other"]}]}, "other"),
        ({"cells": [{"temperatures": ["cold"]}]}, "cold"),
        ({"cells": [{"compensation": ["magic"]}]}, "magic"),
        ({"cells": []}, "cells"),
        ({"chips": 0}, "chips"),
        ({"refreshes": {"none": {"every_s": 1.0}}}, "none"),
        ({"networks": {"a/b": "x"}}, "a/b"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"colour": 1}, "colour"),
        ({"sensitivity": {"network": "other"}}, "other"),
    ],
)
def test_a_study_that_names_what_is_not_there_is_refused(values, change, words):
    with pytest.raises(UsageError, match=words):
        build_study(values | change)
