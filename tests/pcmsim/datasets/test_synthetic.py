import numpy as np

from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.roll import SPLITS
from pcmsim.datasets.synthetic import load_synthetic


def rolls(data: Dataset) -> list[np.ndarray]:
    return [roll for name in SPLITS for roll in getattr(data, name).rolls]


def test_the_same_seed_gives_the_same_rolls_and_another_gives_others():
    assert load_synthetic(4).source == load_synthetic(4).source
    assert not np.array_equal(rolls(load_synthetic(4))[0], rolls(load_synthetic(5))[0])


def test_sizes_are_small_and_no_roll_comes_twice():
    data = load_synthetic(4)
    assert [len(getattr(data, name).rolls) for name in SPLITS] == [24, 8, 8]
    assert all(16 <= len(roll) <= 40 for roll in rolls(data))
    assert len({roll.tobytes() for roll in rolls(data)}) == 40


def test_four_voices_sound_at_every_step():
    assert set(np.concatenate(rolls(load_synthetic(4))).sum(axis=1)) == {4}


def loss(p: np.ndarray, target: np.ndarray) -> float:
    """Negative log-likelihood per step of the notes in `target`."""
    return float(-np.where(target == 1, np.log(p), np.log(1 - p)).sum(axis=1).mean())


def test_the_present_chord_foretells_the_next():
    """A table that looks up the bass note, learnt from train, beats the notes' frequencies."""
    data = load_synthetic(4)
    now = np.concatenate([roll[:-1] for roll in data.train.rolls])
    then = np.concatenate([roll[1:] for roll in data.train.rolls])
    table = np.empty((88, 88))
    for bass in range(88):
        after = then[now.argmax(axis=1) == bass]
        table[bass] = (after.sum(axis=0) + 0.1) / (len(after) + 0.2)
    alone = (then.sum(axis=0) + 0.1) / (len(then) + 0.2)
    now = np.concatenate([roll[:-1] for roll in data.test.rolls])
    then = np.concatenate([roll[1:] for roll in data.test.rolls])
    assert loss(table[now.argmax(axis=1)], then) < 0.85 * loss(np.tile(alone, (len(then), 1)), then)
