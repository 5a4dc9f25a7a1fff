from dataclasses import replace

import h5py
import numpy as np
import pytest

from pcmsim.errors import DataError
from pcmsim.studies import Outcome, assemble, cells_of, open_units, run_unit, units_of, work_through
from pcmsim.studies.pool import Here
from pcmsim.studies.store import load, save, unit_file
from pcmsim.studies.unit import Lived


def lived(unit, seed=0.0):
    """Numbers that stand for those of a unit."""
    found = {}
    for life in unit.lives:
        k, n = len(life.compensations), len(unit.times_s)
        metric = seed + np.arange(k * n * 2, dtype=float).reshape(k, n, 2) + 100 * unit.chip
        costs = [np.zeros(shape, np.int64) for shape in ((k, n, 4), (n, 4), (k, 4))]
        found[life] = Lived(metric, *costs)
    return found


def good(unit, materials, recent=None):
    return Outcome(lived(unit), {})


class Broken:
    """Work whose first life on chip 1 fails the first so many times."""

    def __init__(self, times):
        self.left = times

    def __call__(self, unit, materials, recent=None):
        bad = unit.lives[0]
        if unit.chip != 1 or self.left == 0:
            return Outcome(lived(unit), {})
        self.left -= 1
        return Outcome({k: v for k, v in lived(unit).items() if k != bad}, {bad: "no luck"})


@pytest.fixture
def units(small):
    return units_of(small)


def equal(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        (getattr(a[k], f) == getattr(b[k], f)).all()
        for k in a
        for f in ("metric", "calibration", "refresh")
    )


def test_what_is_saved_is_read_back(units, tmp_path):
    save(tmp_path, units[0], lived(units[0]))
    assert equal(load(tmp_path, units[0]), lived(units[0]))
    assert load(tmp_path, units[1]) == {}


def test_the_order_in_which_lives_are_finished_leaves_no_trace(units, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    save(whole, units[0], lived(units[0]))
    for life, found in reversed(lived(units[0]).items()):
        save(parts, units[0], {life: found})
    assert unit_file(whole, units[0]).read_bytes() == unit_file(parts, units[0]).read_bytes()


def test_a_damaged_file_is_named(units, tmp_path):
    save(tmp_path, units[0], lived(units[0]))
    path = unit_file(tmp_path, units[0])
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=path.name):
        load(tmp_path, units[0])


def test_a_file_of_other_times_is_not_taken_for_this_study(units, tmp_path):
    save(tmp_path, units[0], lived(units[0]))
    with pytest.raises(DataError, match="other times"):
        load(tmp_path, replace(units[0], times_s=(1.0, 2.0, 3.0, 4.0)))


def test_arrays_of_another_shape_are_not_taken(units, tmp_path):
    save(tmp_path, units[0], lived(units[0]))
    with h5py.File(unit_file(tmp_path, units[0]), "r+") as file:
        group = file[next(name for name in file if "|" in name)]
        del group["metric"]
        group["metric"] = np.zeros((1, 1, 2))
    with pytest.raises(DataError, match="metric"):
        load(tmp_path, units[0])


def test_files_that_were_swapped_are_noticed(units, tmp_path):
    for unit in units:
        save(tmp_path, unit, lived(unit))
    first, second = (unit_file(tmp_path, unit) for unit in units[:2])
    second.write_bytes(first.read_bytes())
    with pytest.raises(DataError, match="put it back in its place"):
        load(tmp_path, units[1])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_no_number_is_not_taken_for_a_measurement(units, tmp_path, bad):
    found = lived(units[0])
    found[units[0].lives[0]].metric[0, 0, 0] = bad
    save(tmp_path, units[0], found)
    with pytest.raises(DataError, match="never measured"):
        load(tmp_path, units[0])


def test_a_flipped_bit_changes_no_result_unseen(units, tmp_path):
    """Every 97th byte of the file, one bit each: the same numbers, or a refusal."""
    save(tmp_path, units[0], lived(units[0]))
    path = unit_file(tmp_path, units[0])
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            found = load(tmp_path, units[0])
        except DataError:
            refused += 1
            continue
        # A life whose name was hit is missing, and is measured again.
        assert equal(found, {life: v for life, v in lived(units[0]).items() if life in found})
    assert refused > 0


def test_finished_units_are_not_begun_again(units, tmp_path):
    save(tmp_path, units[0], lived(units[0]))
    begun = []

    def work(unit, materials, recent=None):
        begun.append(unit.name)
        return good(unit, materials)

    assert work_through(tmp_path, units, Here(None, work), 0) == []
    assert begun == [unit.name for unit in units[1:]]


def test_of_a_unit_only_the_missing_lives_are_measured(units, tmp_path):
    first, *rest = units[0].lives
    save(tmp_path, units[0], {first: lived(units[0])[first]})
    assert open_units(tmp_path, units[:1]) == [replace(units[0], lives=tuple(rest))]


def test_a_life_that_fails_is_tried_again_and_hides_nothing(units, tmp_path):
    assert work_through(tmp_path, units, Here(None, Broken(1)), retries=1) == []
    for unit in units:
        assert equal(load(tmp_path, unit), lived(unit))


def test_a_life_that_always_fails_is_listed_and_the_rest_is_there(units, tmp_path):
    counted = []
    failures = work_through(
        tmp_path, units, Here(None, Broken(9)), 2, lambda *now: counted.append(now)
    )
    assert [(f.unit.chip, f.life, f.reason) for f in failures] == [
        (1, units[1].lives[0], "no luck")
    ]
    total = sum(len(unit.lives) for unit in units)
    assert counted[-1] == (total - 1, total, 1)
    assert load(tmp_path, units[1]).keys() == set(units[1].lives[1:])


def test_chips_that_were_not_measured_are_nan_in_the_table(small, units, tmp_path):
    work_through(tmp_path, units, Here(None, Broken(9)), 0)
    table = assemble(tmp_path, cells_of(small), units)
    missing = np.isnan(table.per_step).any(axis=2)
    assert missing.sum() == len(units[1].lives[0].compensations)
    assert not missing[:, 0].any()


def test_an_interrupted_study_resumes_to_the_same_files(small, units, materials, tmp_path):
    """Stopped when the first chip is done, as by Ctrl-C in the display of progress."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    work_through(whole, units, Here(materials), 0)

    class Stopped(BaseException):
        pass

    def stop(done, total, failed):
        if done:
            raise Stopped

    with pytest.raises(Stopped):
        work_through(broken, units, Here(materials), 0, stop)
    assert unit_file(broken, units[0]).exists()
    assert not unit_file(broken, units[1]).exists()
    work_through(broken, units, Here(materials), 0)
    for unit in units:
        assert unit_file(whole, unit).read_bytes() == unit_file(broken, unit).read_bytes()
    assert run_unit(units[0], materials).failed == {}
