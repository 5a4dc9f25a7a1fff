"""Chorale-like sequences from a seed: structure that a network can learn, and no file."""

import numpy as np

from pcmsim.datasets.dataset import Dataset
from pcmsim.datasets.roll import SPLITS, Roll, dataset, fingerprint, from_pitches
from pcmsim.rng import stream

ROLLS = {"train": 24, "valid": 8, "test": 8}
SHORTEST, LONGEST = 16, 40
# Triads of C major as MIDI pitches, bass to soprano, and how often one follows another.
CHORDS = {"I": (48, 55, 64, 72), "ii": (50, 57, 65, 74), "IV": (53, 57, 65, 72),
          "V": (43, 55, 62, 71), "vi": (45, 57, 60, 69)}  # fmt: skip
FOLLOWS = np.array([
    [0.00, 0.10, 0.60, 0.10, 0.20],
    [0.05, 0.00, 0.00, 0.95, 0.00],
    [0.10, 0.30, 0.00, 0.60, 0.00],
    [0.85, 0.00, 0.00, 0.00, 0.15],
    [0.00, 0.70, 0.30, 0.00, 0.00],
])  # fmt: skip
STAY = 0.2  # a chord is held for another step
PASSING = 0.05  # a voice is a whole tone off its chord tone


def load_synthetic(seed: int) -> Dataset:
    """24/8/8 four-voice rolls of 16 to 40 steps, the same for the same `seed`.

    Chords follow a Markov chain, so that the next step is predictable to a degree.

    >>> len(load_synthetic(seed=1).train.rolls)
    24
    """
    splits = {name: [_roll(seed, name, i) for i in range(ROLLS[name])] for name in SPLITS}
    source = f"synthetic four-voice Markov chords, seed {seed}, SHA-256 {fingerprint(splits)}"
    return dataset("synthetic", splits, source)


def _roll(seed: int, split: str, index: int) -> Roll:
    rng = stream(seed, "datasets", "synthetic", split, index)
    chords = np.array(list(CHORDS.values()))
    state = 0  # a piece begins on the tonic
    steps = []
    for _ in range(int(rng.integers(SHORTEST, LONGEST + 1))):
        passing = 2 * (rng.random(chords.shape[1]) < PASSING)
        steps.append((chords[state] + passing).tolist())
        if rng.random() >= STAY:
            state = int(rng.choice(len(chords), p=FOLLOWS[state]))
    return from_pitches(steps)
