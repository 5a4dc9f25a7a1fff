import pytest

from pcmsim.datasets.held_out import held_out
from pcmsim.errors import DataError


@pytest.mark.parametrize(("count", "held"), [(2, 1), (9, 1), (618, 62), (8156, 816)])
def test_every_sequence_is_in_one_part_and_a_tenth_is_held_out(count, held):
    train, valid = held_out("some", count)
    assert sorted(train + valid) == list(range(count))
    assert len(valid) == held
    assert (train, valid) == (sorted(train), sorted(valid))


def test_the_parts_depend_on_the_name_alone():
    assert held_out("some", 100) == held_out("some", 100)
    assert held_out("some", 100) != held_out("other", 100)


def test_a_single_sequence_cannot_be_split():
    with pytest.raises(DataError, match="some has 1 sequences"):
        held_out("some", 1)
