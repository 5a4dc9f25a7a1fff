import numpy as np
import pytest

from pcmsim.datasets import Split, batches, pad
from pcmsim.errors import UsageError


@pytest.fixture
def rolls() -> list[np.ndarray]:
    """Rolls of lengths 2, 3, ... 12, each with its own pattern and no empty step."""
    rng = np.random.default_rng(3)
    made = [(rng.random((n, 88)) < 0.2).astype(np.uint8) for n in range(2, 13)]
    for number, roll in enumerate(made):
        roll[:, number] = 1
    return made


def test_every_step_predicts_the_next(rolls):
    batch = pad(rolls)
    for i, roll in enumerate(rolls):
        steps = len(roll) - 1
        np.testing.assert_array_equal(batch.inputs[:steps, i], roll[:-1])
        np.testing.assert_array_equal(batch.targets[:steps, i], roll[1:])


def test_padding_never_leaks(rolls):
    batch = pad(rolls)
    assert batch.inputs.shape == batch.targets.shape == (11, 11, 88)
    assert batch.mask.sum(axis=0).tolist() == [len(roll) - 1 for roll in rolls]
    assert not batch.inputs[~batch.mask].any()
    assert not batch.targets[~batch.mask].any()
    assert batch.inputs[batch.mask].any(axis=1).all()
    assert (np.diff(batch.mask.astype(int), axis=0) <= 0).all()


def test_a_sequence_looks_the_same_in_any_company(rolls):
    alone, together = pad(rolls[2:3]), pad(rolls)
    np.testing.assert_array_equal(alone.inputs[:, 0], together.inputs[: len(alone.inputs), 2])
    np.testing.assert_array_equal(alone.targets[:, 0], together.targets[: len(alone.targets), 2])


def test_batches_are_ready_for_float32_networks(rolls):
    batch = pad(rolls)
    assert (batch.inputs.dtype, batch.targets.dtype) == (np.float32, np.float32)
    assert batch.mask.dtype == np.bool_


def numbers(split: Split, size: int, rng: np.random.Generator | None = None) -> list[int]:
    """Which roll each sequence of the batches is, told by its length."""
    return [int(n) - 1 for b in batches(split, size, rng) for n in b.mask.sum(axis=0)]


@pytest.mark.parametrize("size", [1, 4, 11, 50])
@pytest.mark.parametrize("seed", [None, 8])
def test_batches_hold_each_roll_exactly_once(rolls, size, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    split = Split("train", tuple(rolls))
    assert sorted(numbers(split, size, rng)) == list(range(11))
    assert sum(1 for _ in batches(split, size)) == -(-11 // size)


def test_without_a_generator_the_order_is_that_of_the_split(rolls):
    assert numbers(Split("test", tuple(rolls)), 4) == list(range(11))


def test_shuffles_differ_by_seed_and_by_call_and_repeat_with_the_seed(rolls):
    split = Split("train", tuple(rolls))
    rng, again = np.random.default_rng(8), np.random.default_rng(8)
    first, second = numbers(split, 4, rng), numbers(split, 4, rng)
    assert [first, second] == [numbers(split, 4, again), numbers(split, 4, again)]
    other = numbers(split, 4, np.random.default_rng(9))
    assert len({tuple(order) for order in (first, second, other, range(11))}) == 4


def test_the_order_is_fixed_when_batches_are_asked_for(rolls):
    split, rng = Split("train", tuple(rolls)), np.random.default_rng(8)
    waiting = batches(split, 4, rng)
    rng.random(5)
    lengths = [int(n) - 1 for b in waiting for n in b.mask.sum(axis=0)]
    assert lengths == numbers(split, 4, np.random.default_rng(8))


def test_no_rolls_and_rolls_without_a_next_step_are_refused(rolls):
    with pytest.raises(UsageError, match="at least 2 steps"):
        pad([])
    with pytest.raises(UsageError, match=r"\[2, 1\]"):
        pad([rolls[0], rolls[1][:1]])


def test_a_batch_of_nothing_is_refused_at_once(rolls):
    with pytest.raises(UsageError, match="at least 1; got 0"):
        batches(Split("train", tuple(rolls)), 0)
