import numpy as np
import pytest

from pcmsim.datasets.rate_code import MOST_AT_ONCE, encode
from pcmsim.errors import UsageError
from pcmsim.rng import stream

EVERY = np.arange(256, dtype=np.uint8)[None]


@pytest.mark.parametrize("max_rate", [6.0, 19.0])
def test_every_brightness_fires_at_its_rate(max_rate):
    # 200,000 trials a brightness: z of 256 binomial counts, tolerance 4 standard errors, seeded.
    trials = np.repeat(EVERY, 10_000, axis=0)
    rate = encode(trials, 20, max_rate, stream(1, "rates")).mean(axis=(0, 1))
    p = np.arange(256) / 255 * max_rate / 20
    z = (rate - p)[1:] / np.sqrt(p * (1 - p) / 200_000)[1:]
    assert abs(z).max() < 4.0
    assert z.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * 255))


def test_black_never_fires_and_certain_pixels_always_do():
    images = np.repeat(np.array([[0, 255]], np.uint8), 50_000, axis=0)
    spikes = encode(images, 4, 4.0, stream(2, "ends"))
    assert not spikes[:, :, 0].any()
    assert spikes[:, :, 1].all()
    assert not encode(images, 4, 0.0, stream(2, "ends")).any()


def test_pixels_and_steps_are_independent():
    # Correlation of neighbours in time and space: 4 standard errors of 1/sqrt(n), seeded.
    grey = np.full((300, 100), 255, np.uint8)
    spikes = encode(grey, 20, 6.0, stream(3, "pairs")).astype(float) - 0.3
    for a, b in ((spikes[1:], spikes[:-1]), (spikes[..., 1:], spikes[..., :-1])):
        assert abs((a * b).mean() / 0.21) < 4 / np.sqrt(a.size)


def test_shape_and_type_are_those_of_a_batch():
    spikes = encode(np.zeros((3, 5), np.uint8), 7, 2.0, stream(4, "shape"))
    assert spikes.shape == (7, 3, 5)
    assert spikes.dtype == np.uint8


def test_the_same_generator_gives_the_same_spikes_and_another_others():
    first, again, other = (encode(EVERY, 20, 6.0, stream(s, "x")) for s in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_longer_train_starts_like_a_shorter_one():
    short = encode(EVERY, 5, 1.5, stream(7, "x"))
    np.testing.assert_array_equal(encode(EVERY, 20, 6.0, stream(7, "x"))[:5], short)


def test_parts_of_a_large_batch_are_all_drawn():
    images = np.full((3, MOST_AT_ONCE // 2), 255, np.uint8)
    rates = encode(images, 1, 0.5, stream(8, "x")).mean(axis=2)
    assert abs(rates - 0.5).max() < 4 * 0.5 / np.sqrt(MOST_AT_ONCE // 2)


@pytest.mark.parametrize(
    ("steps", "max_rate", "says"),
    [
        (20, 20.1, "max_rate = 20.1 spikes in 20 steps; allowed are 0 to 20"),
        (20, -0.1, "max_rate"),
        (20, float("nan"), "max_rate"),
        (0, 0.0, "steps = 0"),
    ],
)
def test_what_is_no_probability_is_refused(steps, max_rate, says):
    with pytest.raises(UsageError, match=says):
        encode(EVERY, steps, max_rate, stream(1, "x"))


@pytest.mark.parametrize("images", [EVERY[0], EVERY.astype(float)])
def test_other_images_are_refused(images):
    with pytest.raises(UsageError, match="uint8 of shape"):
        encode(images, 20, 6.0, stream(1, "x"))
